"""The release as a stranger gets it: a clone, no credentials, an empty cache."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from samrs.publish.repository import Repository

SECRET = ("AWS_", "DVC_", "GIT_")
"""Variables by their start: a stranger has none of a maintainer's credentials and settings."""


def environment(folder: Path, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables for commands of a stranger, whose settings and indexes lie below ``folder``.

    Args:
        given: the maintainer's variables; None takes this process's.
    """
    mine = os.environ if given is None else given
    kept = {name: text for name, text in mine.items() if not name.startswith(SECRET)}
    places = {
        f"DVC_{name}_DIR": str(folder / name.lower())
        for name in ("SITE_CACHE", "GLOBAL_CONFIG", "SYSTEM_CONFIG")
    }
    # Without credentials boto asks the cloud's metadata service, which may hang.
    return {**kept, **places, "AWS_EC2_METADATA_DISABLED": "true"}


def clone(source: Path, folder: Path, pull_from: str | None) -> Repository:
    """Clone what is committed in ``source`` into ``folder/clone``.

    Args:
        pull_from: address of the default remote for this clone alone; None: the committed one.
    """
    env = environment(folder)
    Repository(folder, env).git("clone", "--quiet", "--no-hardlinks", str(source), "clone")
    made = Repository(folder / "clone", env)
    if pull_from is not None:
        remote = made.dvc("config", "core.remote")
        made.dvc("remote", "modify", "--local", remote, "url", pull_from)
    return made
