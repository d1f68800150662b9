"""Whether dvc.lock tells of this tree, found without any data.

``dvc status`` compares commands, parameters, code and metrics, all of which are in git. What it
says of data that is not here is left out; that one stage's output is the next one's input is read
off the lock file itself.
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


def _merely_absent(path: str, state: str, data: list[str], absent: list[str]) -> bool:
    """Whether dvc only says that data is not here; a folder above it then looks modified."""
    if state == "modified":
        return any(path != out and _covers(path, out) for out in absent)
    return state in ABSENT and any(_covers(path, out) or _covers(out, path) for out in data)


def _changes(status: Mapping[str, Any], data: list[str], absent: list[str]) -> Iterator[str]:
    """What differs, less data that is merely not here."""
    for stage, entries in status.items():
        for entry in entries:
            if not isinstance(entry, Mapping):
                yield f"{stage}: {entry}"
                continue
            for paths in entry.values():
                for path, what in paths.items():
                    for name, state in _told(path, what):
                        if not _merely_absent(path, state, data, absent):
                            yield f"{stage}: {name} is {state}"


def _breaks(stages: Mapping[str, Any], data: list[str], sizes: Mapping[str, int]) -> Iterator[str]:
    """Inputs that are not what the stages before put out.

    Args:
        data: outputs that git does not have.
        sizes: bytes of each file that git has.
    """
    outs = {out["path"]: (name, out) for name, s in stages.items() for out in s.get("outs", [])}
    for name, stage in stages.items():
        for dep in stage.get("deps", []):
            path = dep["path"]
            if path in outs:
                if dep.get("md5") != outs[path][1].get("md5"):
                    yield f"{name}: {path} is not what {outs[path][0]} put out"
                continue
            inside = [outs[out][1] for out in data if _covers(path, out)]
            if inside:  # its hash cannot be had without the data, its size can
                beside = [size for file, size in sizes.items() if _covers(path, file)]
                files = sum(out.get("nfiles", 1) for out in inside) + len(beside)
                size = sum(out["size"] for out in inside) + sum(beside)
                if (dep.get("nfiles"), dep.get("size")) != (files, size):
                    yield f"{name}: {path} is not what the stages before put out"


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
    listed = [path for path in _run(root, "git", "ls-files", "-z").split("\0") if path]
    sizes = {path: (root / path).stat().st_size for path in listed if (root / path).is_file()}
    outs = [out["path"] for stage in stages.values() for out in stage.get("outs", [])]
    data = [out for out in outs if not any(_covers(out, path) for path in listed)]
    absent = [out for out in data if not (root / out).exists()]
    missing = [f"{name}: never run" for name in known if name not in stages]
    spare = [f"{name}: no stage of dvc.yaml any more" for name in stages if name not in known]
    status = json.loads(_dvc(root, "status", "--json"))
    recorded = {name: told for name, told in status.items() if name in stages}
    changed = _changes(recorded, data, absent)
    return [*missing, *spare, *changed, *_breaks(stages, data, sizes)]


def graph(root: Path) -> str:
    """The pipeline as a Mermaid flowchart, which GitHub draws.

    Raises:
        ProductError: dvc cannot read the pipeline.
    """
    return _dvc(root, "dag", "--mermaid").strip()
