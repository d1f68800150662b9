"""Where a table's shards end: decided by the scenes themselves, so that a grown dataset keeps most.

Cutting after so many bytes would move every later boundary when one scene is added. Here a shard
may end after any scene, with a chance in proportion to the scene's bytes, drawn from the scene's
name (content-defined chunking, as in rsync and restic): a boundary hangs on the shard since the
last one, so that soon after a new scene the old boundaries hold again.
"""

from __future__ import annotations

import hashlib

SMALLEST = 32 * 2**20
USUAL = 96 * 2**20
LARGEST = 224 * 2**20
"""Bytes of images: no shard ends below ``SMALLEST``, each ends at ``LARGEST``; on average they hold
``SMALLEST`` and about ``USUAL`` more."""


class Boundaries:
    """Says after which scenes the shards of a product end."""

    def __init__(self) -> None:
        self._bytes = 0

    def ends_after(self, scene_id: str, num_bytes: int) -> bool:
        """Whether a shard ends after this scene, whose images have so many bytes.

        Args:
            num_bytes: of its encoded images.
        """
        self._bytes += num_bytes
        digest = hashlib.sha256(scene_id.encode("utf-8")).digest()
        drawn = int.from_bytes(digest[:8], "big") / 2**64
        ends = self._bytes >= SMALLEST and drawn < num_bytes / USUAL
        if ends or self._bytes >= LARGEST:
            self._bytes = 0
            return True
        return False
