"""Is every product what its manifest says?"""

from __future__ import annotations

import json
from pathlib import Path

from samrs.core.errors import ProductError
from samrs.core.shards import sha256, verify_product
from samrs.publishing.artifacts import MANIFEST, products
from samrs.publishing.repository import PublishError


def verify_products(root: Path) -> dict[str, int]:
    """Rows of every product below ``root/data``, by its path, each checked against its manifest.

    Manifests of raw files (``data/download``) name no product and are left out.

    Raises:
        ProductError: a file is missing, added, or other than its manifest says.
        PublishError: there is no product at all.
    """
    rows = {}
    for product in products(root):
        manifest = json.loads((product / MANIFEST).read_text(encoding="utf-8"))
        if "product" not in manifest:
            continue
        rows[product.relative_to(root).as_posix()] = verify_product(product)
        for name, wanted in manifest.get("files", {}).items():
            path = product / name
            got = sha256(path) if path.is_file() else "no such file"
            if got != wanted:
                raise ProductError(
                    f"{path}: content differs from the manifest, got {got}; sha256 {wanted} is "
                    "allowed; fetch or make the product again"
                )
    if not rows:
        raise PublishError(
            f"{root}/data: nothing to verify, got no product; at least one with a {MANIFEST} is "
            "needed; see that dvc.yaml's outputs are pushed"
        )
    return rows
