"""What is left of datasets and subsets that params.yaml no longer names, found and removed.

DVC never does: the entry of a stage that is gone stays in dvc.lock, and its outputs where they are,
where ``data/release`` is an input of others. Stages that were up to date stay so: they read the
subsets that are named, so dvc is told the folder's new hash instead of running them again.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dvc.dvcfile import Lockfile
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import PipelineStage, create_stage
from dvc.stage.loader import StageLoader
from ruamel.yaml import YAML

from samrs.core.errors import ProductError, SamrsError
from samrs.core.shards import verify_product

MANIFEST = "manifest.json"
RESULTS = ("data/", "metrics/")


@dataclass
class Leftovers:
    """What no stage of dvc.yaml makes any more; paths are relative to the repository.

    Args:
        stages: entries of dvc.lock.
        paths: outputs that are as they were made.
        kept: others, with the reason why they are not removed.
    """

    stages: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)


def leftovers(root: Path) -> Leftovers:
    """Find them; nothing is changed.

    Args:
        root: the repository.

    Raises:
        ProductError: dvc cannot read the pipeline.
    """
    with _opened(root) as repo:
        return _find(repo, root)


def prune(root: Path) -> tuple[Leftovers, list[str]]:
    """Remove the entries from dvc.lock and the outputs from the working tree.

    The cache keeps the data: ``dvc checkout`` of an older commit brings them back.

    Args:
        root: the repository.

    Returns:
        What was found, ``kept`` excepted now gone; and the stages whose entries in dvc.lock were
        written anew because a folder above a removed output is their input.

    Raises:
        ProductError: dvc cannot read the pipeline.
    """
    with _opened(root) as repo:
        found = _find(repo, root)
        above = [
            stage.addressing
            for stage in repo.index.stages
            if any(_within(path, dep) for dep in _folders(stage, root) for path in found.paths)
            and not repo.status([stage.addressing])
        ]
        for name in found.stages:
            Lockfile(repo, str(root / "dvc.lock")).remove_stage(_Named(name))
        for path in found.paths:
            _remove(root / path)
            repo.scm_context.ignore_remove(str(root / path))
    with _opened(root) as repo:
        for name in above:
            repo.commit(name, force=True)
    return found, above


@dataclass(frozen=True)
class _Named:
    name: str


def _opened(root: Path) -> Repo:
    try:
        return Repo(str(root))
    except DvcException as error:
        raise ProductError(
            f"{root}: no pipeline that dvc can read, got {error}; a checkout of the project is "
            "needed; run this in its folder"
        ) from error


def _find(repo: Repo, root: Path) -> Leftovers:
    try:
        present = {stage.name for stage in repo.index.stages if isinstance(stage, PipelineStage)}
        made = {_relative(out.fs_path, root) for out in repo.index.outs}
    except DvcException as error:
        raise ProductError(
            f"dvc.yaml: cannot be read, got {error}; a valid pipeline is needed; run samrs check"
        ) from error
    found = Leftovers()
    entries = _lock(root)
    for name in [name for name in entries if name not in present]:
        found.stages.append(name)
        for out in _outs(repo, root, name, entries[name]):
            path = _relative(out.fs_path, root)
            if path in found.paths or any(_meet(path, other) for other in made):
                continue
            if (root / path).exists():
                changed = "modified" in out.workspace_status().values()
                _sort(found, path, "it was changed since" if changed else "")
    folders = {dep for stage in repo.index.stages for dep in _folders(stage, root)}
    for folder in sorted(folders):
        if any(_within(out, folder) for out in made):
            for path in _strangers(root, folder, made):
                if path not in found.paths and path not in found.kept:
                    _sort(found, path, _why_kept(root, path))
    return found


def _sort(found: Leftovers, path: str, why: str) -> None:
    if why:
        found.kept[path] = why
    else:
        found.paths.append(path)


def _lock(root: Path) -> dict[str, Any]:
    file = root / "dvc.lock"
    values = YAML(typ="safe").load(file) if file.is_file() else {}
    return dict((values or {}).get("stages") or {})


def _outs(repo: Repo, root: Path, name: str, entry: dict[str, Any]) -> Iterable[Any]:
    """The outputs of an entry as dvc knows them; those outside the repository are left out."""
    inside = [o for o in entry.get("outs", []) if (root / o["path"]).resolve().is_relative_to(root)]
    if not inside:
        return []
    about = {"name": name, "cmd": entry["cmd"], "outs": [out["path"] for out in inside]}
    file = str(root / "dvc.yaml")
    stage = create_stage(PipelineStage, repo=repo, path=file, wdir=str(root), **about)
    StageLoader.fill_from_lock(stage, {**entry, "deps": [], "params": {}, "outs": inside})
    outs: Iterable[Any] = stage.outs
    return outs


def _folders(stage: Any, root: Path) -> Iterator[str]:
    """Dependencies of a stage that are folders of results."""
    paths = (str(dep.def_path) for dep in stage.deps if dep.def_path)
    yield from (p for p in paths if p.startswith(RESULTS) and (root / p).is_dir())


def _strangers(root: Path, folder: str, made: set[str]) -> Iterator[str]:
    """What lies in a folder of results and is no output of a stage."""
    for path in sorted((root / folder).iterdir()):
        name = path.relative_to(root).as_posix()
        if path.name != ".gitignore" and not any(_meet(name, out) for out in made):
            yield name


def _why_kept(root: Path, path: str) -> str:
    """Why something of no entry in dvc.lock is not removed; empty where it may be."""
    place = root / path
    if place.is_symlink():
        return "it is a link"
    if place.is_file():
        command = ["git", "-C", str(root), "status", "--porcelain", "--ignored", "--", path]
        said = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        return "git does not have it as it is" if said.returncode or said.stdout else ""
    try:
        if "product" not in json.loads((place / MANIFEST).read_text(encoding="utf-8")):
            return "it is no product of a stage"
        verify_product(place)
    except (OSError, ValueError):
        return "it is no product of a stage"
    except SamrsError:
        return "it is not what its manifest says"
    return ""


def _relative(path: str, root: Path) -> str:
    return Path(path).relative_to(root).as_posix()


def _within(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")


def _meet(path: str, other: str) -> bool:
    """Whether one is the other or lies in it."""
    return path == other or _within(path, other) or _within(other, path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
