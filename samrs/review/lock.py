"""Whether dvc.lock tells of this tree, found without any data.

``dvc status`` compares commands, parameters, code and metrics, all of which are in git. What it
says of data that is not here is left out; that one stage's output is the next one's input is read
from dvc.lock itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from samrs.core.errors import MissingInputError, ProductError

ABSENT = ("deleted", "not in cache")


def _run(root: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise ProductError(
            f"dvc.lock: {' '.join(command[-3:])} failed, got {said[-1] if said else None!r}; a "
            "pipeline that dvc can read is needed; mend dvc.yaml, params.yaml or dvc.lock"
        )
    return done.stdout


def _dvc(root: Path, *command: str) -> str:
    return _run(root, sys.executable, "-m", "dvc", *command)


def _covers(path: str, other: str) -> bool:
    """Whether a path is another or a folder above it."""
    return path == other or other.startswith(f"{path}/")


def _told(path: str, what: Any) -> Iterator[tuple[str, str]]:
    """Each thing ``dvc status`` says of a path; parameters are a level deeper."""
    if isinstance(what, Mapping):
        for name, state in what.items():
            yield f"{path}: {name}", str(state)
    else:
        yield path, str(what)


def _changes(status: Mapping[str, Any], data: list[str]) -> Iterator[str]:
    """What differs, less data that is merely not here."""
    for stage, entries in status.items():
        for entry in entries:
            if not isinstance(entry, Mapping):
                yield f"{stage}: {entry}"
                continue
            for paths in entry.values():
                for path, what in paths.items():
                    absent = any(_covers(path, d) or _covers(d, path) for d in data)
                    for name, state in _told(path, what):
                        if not (absent and state in ABSENT):
                            yield f"{stage}: {name} is {state}"


def _breaks(stages: Mapping[str, Any], data: list[str]) -> Iterator[str]:
    """Inputs that are not what the stage before put out."""
    outs = {out["path"]: (name, out) for name, s in stages.items() for out in s.get("outs", [])}
    for name, stage in stages.items():
        for dep in stage.get("deps", []):
            path = dep["path"]
            inside = [out for p, (_, out) in outs.items() if p != path and _covers(path, p)]
            if path in outs and dep.get("md5") != outs[path][1].get("md5"):
                yield f"{name}: {path} is not what {outs[path][0]} put out"
            elif inside and all(out["path"] in data for out in inside):
                for count in ("nfiles", "size"):
                    if dep.get(count) != sum(out.get(count, 0) for out in inside):
                        yield f"{name}: {path} is not what the stages before put out ({count})"
                        break


def stale(root: Path) -> list[str]:
    """What dvc.lock says that is no longer so, a line each; nothing where it is up to date.

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
    stages = yaml.safe_load(lock.read_text(encoding="utf-8")).get("stages") or {}
    known = _dvc(root, "stage", "list", "--name-only").split()
    tracked = _run(root, "git", "ls-files", "-z").split("\0")
    outs = [out["path"] for stage in stages.values() for out in stage.get("outs", [])]
    data = [out for out in outs if not any(_covers(out, path) for path in tracked)]
    missing = [f"{name}: never run" for name in known if name not in stages]
    spare = [f"{name}: no stage of dvc.yaml any more" for name in stages if name not in known]
    recorded = {s: e for s, e in json.loads(_dvc(root, "status", "--json")).items() if s in stages}
    return [*missing, *spare, *_changes(recorded, data), *_breaks(stages, data)]


def graph(root: Path) -> str:
    """The pipeline as a Mermaid flowchart, which GitHub draws.

    Raises:
        ProductError: dvc cannot read the pipeline.
    """
    return _dvc(root, "dag", "--mermaid").strip()
