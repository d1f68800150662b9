"""Masks of another recipe for the same instances, from another release or product of labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from samrs.core.errors import ProductError
from samrs.core.shards import has_table, read_manifest, shard_paths
from samrs.review.index import SCORES
from samrs.review.kept import Kept

KEPT_BYTES = 16 * 2**20
COLUMNS = ("instance_id", "tile_id", "rle", "recipe", "area", *SCORES)


class Beside:
    """The masks of another product, read a tile at a time.

    Args:
        product: a release, or what ``sam-label`` wrote.
        dataset: whose instances they must be.

    Raises:
        MissingInputError: there is no product.
        ProductError: it is of another dataset, or holds no masks.
    """

    def __init__(self, product: Path, dataset: str) -> None:
        manifest = read_manifest(product)
        if manifest.get("dataset") != dataset:
            raise ProductError(
                f"{product}: masks of another dataset, got {manifest.get('dataset')!r}; {dataset} "
                "is allowed; name a release or labels of it"
            )
        kind = manifest.get("product")
        self.table = {"release": "instances", "sam_label": "masks"}.get(str(kind), "")
        if not self.table or not has_table(product, self.table):
            raise ProductError(
                f"{product}: no masks to show beside, got product {kind!r}; a release or the "
                "labels of sam-label are allowed; name one"
            )
        self.product = product
        self.recipe = str(manifest.get("recipe", "unknown"))
        self._tiles: Kept[pa.Table] = Kept(self._load, lambda rows: int(rows.nbytes), KEPT_BYTES)

    def _load(self, tile_id: Any) -> pa.Table:
        paths = shard_paths(self.product, self.table)
        names = set(pq.read_schema(paths[0]).names)
        only = [("tile_id", "=", tile_id)]
        columns = [name for name in COLUMNS if name in names]
        return pa.concat_tables(pq.read_table(p, columns=columns, filters=only) for p in paths)

    def row(self, instance_id: str, tile_id: str) -> dict[str, Any] | None:
        """The other mask of an instance with its scores; None where there is none.

        Args:
            instance_id: of it.
        """
        rows = self._tiles.get(tile_id)
        found = rows.filter(pc.equal(rows["instance_id"], instance_id)).to_pylist()
        return found[0] if found else None
