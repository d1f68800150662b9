"""A release as data: tiles by number, and as torch datasets.

    from samrs.data import ReleaseReader, ReleaseTiles

Names are looked up when asked for: without torch the tables are read all the same.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from samrs.core.errors import named_extra

if TYPE_CHECKING:
    from samrs.data.reader import Folder as Folder
    from samrs.data.reader import ReleaseReader as ReleaseReader
    from samrs.data.reader import TileRecord as TileRecord
    from samrs.data.reader import open_remote as open_remote
    from samrs.data.torch import GroupSampler as GroupSampler
    from samrs.data.torch import ReleaseStream as ReleaseStream
    from samrs.data.torch import ReleaseTiles as ReleaseTiles
    from samrs.data.torch import dense_masks as dense_masks
    from samrs.data.torch import detection_batch as detection_batch
    from samrs.data.torch import tile_item as tile_item

MODULES = {
    "reader": ("Folder", "ReleaseReader", "TileRecord", "open_remote"),
    "torch": (
        "GroupSampler", "ReleaseStream", "ReleaseTiles", "dense_masks", "detection_batch",
        "tile_item",
    ),
}  # fmt: skip
"""Names by the module that has them."""


def __getattr__(name: str) -> Any:
    for module, names in MODULES.items():
        if name in names:
            with named_extra():
                return getattr(import_module(f"samrs.data.{module}"), name)
    raise AttributeError(f"module 'samrs.data' has no attribute {name!r}")
