"""A git repository with a base branch and a change, made by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tests.pipeline.closure import ROOT

MIOU = "metrics/prompt_ablation/summary.json", "recipes.hbox.all.miou_i"
PARAMS: dict[str, Any] = {
    "prompt": "hbox",
    "release": {"min_area": 4},
    "guard": {
        MIOU[0]: {MIOU[1]: {"direction": "maximize", "tolerance": 0.01}},
        "metrics/sam_label/dota.json": {
            "mean_outside": {"direction": "minimize", "tolerance": 0.1}
        },
    },
}
METRICS: dict[str, Any] = {
    "prompt_ablation/summary": {"recipes": {"hbox": {"all": {"miou_i": 0.78, "count": 178}}}},
    "sam_label/dota": {"mean_outside": 0.0015, "recipe": "hbox", "tiles": 12},
    "stats": {"sota": {"classes": {"ship": {"instances": 4}}, "tiles": 12}},
}

dump = partial(yaml.safe_dump, sort_keys=False)


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def begin(root: Path) -> Path:
    """An empty repository on ``main``."""
    root.mkdir(parents=True, exist_ok=True)
    git(root, "init", "-q", "-b", "main")
    git(root, "config", "user.email", "test@example.org")
    git(root, "config", "user.name", "test")
    return root


def save(
    root: Path,
    params: Any = PARAMS,
    metrics: dict[str, Any] = METRICS,
    files: dict[str, bytes] | None = None,
) -> str:
    """Commit parameters, metrics and other files; returns the commit."""
    for old in (root / "metrics").rglob("*.json"):
        old.unlink()
    texts = {f"metrics/{name}.json": json.dumps(value) for name, value in metrics.items()}
    texts |= {"params.yaml": params if isinstance(params, str) else dump(params)}
    contents = {path: text.encode() for path, text in texts.items()} | (files or {})
    for path, content in contents.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    git(root, "add", "-A")
    git(root, "commit", "-qm", "Change", "--allow-empty")
    return git(root, "rev-parse", "HEAD")


def review(root: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m tools.review`` in a repository, with this project's code."""
    command = [sys.executable, "-m", "tools.review", *arguments]
    paths = {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    return subprocess.run(
        command,
        cwd=root,
        env={**os.environ, **paths, **env},
        capture_output=True,
        text=True,
        check=False,
    )
