"""A committed copy of the project whose stages do quick stand-in work, for tests with real dvc."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.pipeline.closure import ROOT
from tests.pipeline.graph import paths, stages


def few(*datasets: str) -> dict[str, Any]:
    """Top-level parameters of a pipeline of some datasets, without benchmarks and guards.

    Args:
        datasets: names; the subset is that of the first one.
    """
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    sections = ("datasets", "download", "normalize")
    kept = {key: {name: values[key][name] for name in datasets} for key in sections}
    subset = {datasets[0]: values["subsets"][datasets[0]]}
    return {**kept, "subsets": subset, "benchmarks": [], "guard": {}}


def make(root: Path, *targets: str, keep: Sequence[str] = (), **changed: Any) -> set[str]:
    """Write the copy, reproduce it once and commit it on ``main``.

    Args:
        root: an empty folder.
        targets: stages to reproduce, all where none is named.
        keep: stages of dvc.yaml that are left in it, all where none is named.
        changed: top-level parameters to set, e.g. fewer ``datasets``.

    Returns:
        The stages that ran.
    """
    root.mkdir(parents=True, exist_ok=True)
    for name in ("samrs", "stages", "tools"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    inputs = ROOT / "data"
    for kept in [*inputs.glob("inbox/*/.gitkeep"), *inputs.glob("corrections/*/.gitkeep")]:
        (root / kept.parent.relative_to(ROOT)).mkdir(parents=True)
        shutil.copy(kept, root / kept.relative_to(ROOT))
    shutil.copytree(ROOT / "metrics" / "review", root / "metrics" / "review")
    for name in ("dvc.yaml", "params.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, root / name)
    if keep:
        graph = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
        text = yaml.safe_dump({"stages": {name: graph[name] for name in keep}}, sort_keys=False)
        (root / "dvc.yaml").write_text(text, encoding="utf-8")
    if changed:
        values = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
        text = yaml.safe_dump({**values, **changed}, sort_keys=False)
        (root / "params.yaml").write_text(text, encoding="utf-8")
    for script in (root / "stages").glob("*.py"):
        shutil.copy(ROOT / "tests" / "pipeline" / "fake_stage.py", script)
    (root / "stages" / "__init__.py").write_text("")
    fakes = {
        name: {
            "deps": paths(s["deps"]),
            "params": s.get("params", []),
            "outs": [p for key in ("outs", "metrics", "plots") for p in paths(s.get(key, []))],
        }
        for name, s in stages().items()
    }
    (root / "fake.json").write_text(json.dumps(fakes))
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8")
    (root / ".gitignore").write_text(f"{ignored}/ran.txt\n", encoding="utf-8")
    run(root, "git", "init", "-q", "-b", "main")
    run(root, "git", "config", "user.email", "test@example.org")
    run(root, "git", "config", "user.name", "test")
    run(root, "dvc", "init", "-q")
    run(root, "dvc", "config", "core.analytics", "false")
    run(root, "dvc", "config", "core.autostage", "true")
    done = ran(root, "repro", "-q", *targets)
    run(root, "git", "add", "-A")
    run(root, "git", "commit", "-qm", "Reproduce")
    return done


def environment(root: Path) -> dict[str, str]:
    """Variables under which dvc touches nothing outside the test's folder."""
    binaries = str(Path(sys.executable).parent)
    env = {
        **os.environ,
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(root.parent / "site"),
        "DVC_GLOBAL_CONFIG_DIR": str(root.parent / "global"),
        "DVC_SYSTEM_CONFIG_DIR": str(root.parent / "system"),
    }
    env.pop("DVC_STAGE", None)
    env.pop("DVC_ROOT", None)
    return env


def run(root: Path, *command: str, status: int = 0) -> str:
    """What a command prints; it must end with the status."""
    done = subprocess.run(
        command, cwd=root, env=environment(root), capture_output=True, text=True, check=False
    )
    assert done.returncode == status, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout if status == 0 else done.stdout + done.stderr


def ran(root: Path, *command: str) -> set[str]:
    """The stages a dvc command ran, each at most once."""
    log = root / "ran.txt"
    log.unlink(missing_ok=True)
    run(root, "dvc", *command)
    names = log.read_text(encoding="utf-8").split() if log.exists() else []
    assert len(names) == len(set(names))
    return set(names)
