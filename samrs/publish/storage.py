"""The storage holds every object: asked for each of them, not for folders.

`dvc push` does not. Where the list of a folder (`.dir`) is in a remote, it takes the folder's files
for there as well, with a fresh index too (dvc_data/hashfile/status.py, seen with dvc 3.67.1), so a
file that was lost there is never pushed again.
"""

from __future__ import annotations

from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc_data.hashfile.transfer import transfer

from samrs.publish.repository import PublishError


def push_every_object(root: Path, remote: str, url: str | None = None) -> tuple[int, int]:
    """Push what the remote lacks of the outputs of the commit in the workspace, no index used.

    Args:
        root: the repository.
        remote: the remote's name.
        url: its address where it has none in dvc's configuration.

    Returns:
        Number of objects (files and lists of folders), and of those that were pushed.

    Raises:
        PublishError: an object could not be pushed, or is in neither cache nor remote.
    """
    try:
        config = None if url is None else {"remote": {remote: {"url": url}}}
        with Repo(str(root), config=config) as repo:
            wanted = set().union(*repo.used_objs(push=True).values())
            store = repo.cloud.get_remote_odb(remote, "push")
            done = transfer(
                repo.cache.local, store, wanted, shallow=False, cache_odb=repo.cache.local
            )
    except (DvcException, OSError) as error:
        raise PublishError(
            f"{root}: remote {remote} cannot be compared with the cache, got {error}; every "
            "object is needed; see that dvc push works and run the release again"
        ) from error
    if done.failed:
        raise PublishError(
            f"{root}: {len(done.failed)} objects were not pushed to {remote}, got "
            f"{', '.join(sorted(str(i.value) for i in done.failed)[:3])}; none may be missing; "
            "run the release again"
        )
    return len({i.value for i in wanted}), len(done.transferred)
