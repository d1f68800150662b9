"""dvc.yaml as dvc sees it, with foreach and templates resolved by dvc itself."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from dvc.repo import Repo

ROOT = Path(__file__).parents[2]


@cache
def stages() -> dict[str, dict[str, Any]]:
    """Resolved definition of every stage by its name, e.g. ``normalize@dota``."""
    with Repo(str(ROOT)) as repo:
        dvcfile = next(
            s.dvcfile for s in repo.index.stages if s.path_in_repo.startswith("dvc.yaml")
        )
        resolver = dvcfile.resolver
        return {name: resolver.resolve_one(name)[name] for name in resolver.get_keys()}


def paths(entries: list[Any]) -> list[str]:
    """Paths of deps, outs, metrics or plots entries, which may be strings or one-key dicts."""
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]
