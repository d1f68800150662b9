"""Whether dvc.lock tells of this tree, found without any data.

``dvc status`` compares commands, parameters, code and metrics, all of which are in git. What it
says of files that git ignores is left out where they are not here; that one stage's output is the
next one's input is read off the lock file itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from samrs.core.errors import MissingInputError, ProductError

RERUN = "run dvc repro and commit dvc.lock and metrics/"


def _run(root: Path, *command: str, allowed: tuple[int, ...] = (0,), given: str = "") -> str:
    done = subprocess.run(  # noqa: S603
        command, cwd=root, input=given, capture_output=True, text=True, check=False
    )
    if done.returncode not in allowed:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise ProductError(
            f"dvc.lock: {' '.join(command[-3:])} failed, got {said[-1] if said else None!r}; a "
            "pipeline that dvc can read is needed; mend dvc.yaml, params.yaml or dvc.lock"
        )
    return done.stdout


def _dvc(root: Path, *command: str) -> str:
    return _run(root, sys.executable, "-m", "dvc", *command)


def _ignored(root: Path, paths: Sequence[str]) -> set[str]:
    """The paths that git ignores, or whose files it would."""
    inside = {f"{path}/x": path for path in paths}
    command = ("git", "check-ignore", "-z", "--stdin")
    found = _run(root, *command, allowed=(0, 1), given="\0".join(inside))
    return {inside[path] for path in found.split("\0") if path}


def _covers(path: str, other: str) -> bool:
    """Whether a path is another or a folder above it."""
    return other == path or other.startswith(f"{path}/")


def _changed(status: Mapping[str, Any], outs: set[str], ignored: set[str]) -> Iterator[str]:
    """What ``dvc status`` says of files in git: a stage, then a path or ``params.yaml: name``."""
    for stage, entries in status.items():
        for entry in entries:
            if not isinstance(entry, Mapping):
                yield f"{stage}: {entry}"
                continue
            told = {path: what for paths in entry.values() for path, what in paths.items()}
            for path, what in told.items():
                above = path not in ignored and any(_covers(path, out) for out in outs & ignored)
                absent = path in ignored and (what != "modified" or path not in outs)
                if not absent and not (above and what == "modified"):
                    parts = what.items() if isinstance(what, Mapping) else [("", what)]
                    for name, state in parts:
                        yield f"{stage}: {path}{name and f': {name}'} is {state}"


def _broken(
    stages: Mapping[str, Any], ignored: set[str], sizes: Mapping[str, int]
) -> Iterator[str]:
    """Inputs that are not what the stages before put out.

    Args:
        stages: of dvc.lock.
        ignored: paths that git does not have.
        sizes: bytes of each file that git has.
    """
    outs = {out["path"]: (name, out) for name, s in stages.items() for out in s.get("outs", [])}
    for name, stage in stages.items():
        for dep in stage.get("deps", []):
            path = dep["path"]
            inside = [out for other, (_, out) in outs.items() if _covers(path, other)]
            if path in outs:
                if dep.get("md5") != outs[path][1].get("md5"):
                    yield f"{name}: {path} is not what {outs[path][0]} put out"
            elif any(out["path"] in ignored for out in inside):
                # its hash cannot be had without the data, its count and size can
                beside = [size for file, size in sizes.items() if _covers(path, file)]
                data = [out for out in inside if out["path"] in ignored]
                files = sum(out.get("nfiles", 1) for out in data) + len(beside)
                size = sum(out["size"] for out in data) + sum(beside)
                if (dep.get("nfiles"), dep.get("size")) != (files, size):
                    yield (
                        f"{name}: {path} is not what the stages before put out, where samrs prune "
                        "removes what those left that are gone"
                    )


def _apart(stages: Mapping[str, Any], data: set[str]) -> Iterator[str]:
    """Folders of data of which two stages tell another hash: one ran before it changed.

    Args:
        stages: of dvc.lock.
        data: outputs that git does not have.
    """
    first: dict[str, tuple[str, Any]] = {}
    for name, stage in stages.items():
        for dep in stage.get("deps", []):
            path, digest = dep["path"], dep.get("md5")
            other, known = first.setdefault(path, (name, digest))
            if digest != known and any(_covers(path, out) for out in data):
                yield f"{name}: {path} is not what it was for {other}"


def stale(root: Path) -> list[str]:
    """What dvc.lock says that is no longer so, and what to do, a line each.

    Args:
        root: the repository, with or without its data.

    Raises:
        MissingInputError: there is no dvc.lock.
        ProductError: dvc cannot read the pipeline.
    """
    lock = root / "dvc.lock"
    if not lock.is_file():
        raise MissingInputError(
            f"{lock}: no lock file, got no such file; the pipeline's results are recorded in it; "
            "run dvc repro and commit it"
        )
    stages = YAML(typ="safe").load(lock).get("stages") or {}
    known = _dvc(root, "stage", "list", "--name-only").split()
    spare = [name for name in stages if name not in known]
    paths = [x["path"] for s in stages.values() for x in (*s.get("deps", []), *s.get("outs", []))]
    outs = {out["path"] for s in stages.values() for out in s.get("outs", [])}
    ignored = _ignored(root, paths)
    listed = [path for path in _run(root, "git", "ls-files", "-z").split("\0") if path]
    sizes = {path: (root / path).stat().st_size for path in listed if (root / path).is_file()}
    status = json.loads(_dvc(root, "status", "--json"))
    recorded = {name: told for name, told in status.items() if name in stages}
    found = [f"{name}: never run" for name in known if name not in stages]
    found += _changed(recorded, outs, ignored)
    found += _broken(stages, ignored, sizes)
    present = {name: stage for name, stage in stages.items() if name not in spare}
    found += _apart(present, outs & ignored)
    return [f"{line}; {RERUN}" for line in found] + [
        f"{name}: no stage of dvc.yaml any more; run samrs prune, then dvc repro, and commit "
        "dvc.lock and metrics/"
        for name in spare
    ]


def graph(root: Path) -> str:
    """The pipeline as a Mermaid flowchart, which GitHub draws.

    Raises:
        ProductError: dvc cannot read the pipeline.
    """
    return _dvc(root, "dag", "--mermaid").strip()
