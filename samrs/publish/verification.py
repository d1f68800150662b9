"""Is every product of a release sound?"""

from __future__ import annotations

import json
from pathlib import Path

from samrs.core.errors import ProductError
from samrs.core.shards import read_manifest, sha256, verify_product
from samrs.publish.artifacts import MANIFEST, products
from samrs.publish.repository import PublishError
from samrs.verify.parts import PRODUCTS
from samrs.verify.verify import Verification


def verify_products(root: Path) -> dict[str, int]:
    """Rows of every product below ``root/data``, by its path, each checked.

    Tables as ``samrs verify`` does; other files, as those of models, by the manifest's sha256.
    Manifests of raw files (``data/download``) name no product and are left out.

    Raises:
        ProductError: a product has findings, or a file is other than its manifest says.
        PublishError: there is no product at all.
    """
    rows = {}
    normalized = _normalized(root)
    for product in products(root):
        manifest = json.loads((product / MANIFEST).read_text(encoding="utf-8"))
        if "product" not in manifest:
            continue
        name = product.relative_to(root).as_posix()
        if manifest["product"] in PRODUCTS:
            tiles_of = normalized.get(manifest.get("dataset"))
            rows[name] = _sound(product, tiles_of if manifest["product"] == "sam_label" else None)
        else:
            rows[name] = verify_product(product)
        _check_files(product, manifest.get("files", {}))
    if not rows:
        raise PublishError(
            f"{root}/data: nothing to verify, got no product; at least one with a {MANIFEST} is "
            "needed; see that dvc.yaml's outputs are pushed"
        )
    return rows


def _normalized(root: Path) -> dict[str, Path]:
    """The normalize products, by dataset: masks are checked against their tiles."""
    found = [p for p in products(root) if p.parent.name == "normalize"]
    return {read_manifest(product)["dataset"]: product for product in found}


def _sound(product: Path, tiles_of: Path | None) -> int:
    """Rows of a product without findings."""
    check = Verification(product, tiles_of)
    if findings := check.run():
        raise ProductError(
            f"{product}: content differs from the manifest or itself, got "
            f"{' '.join(' '.join(findings.lines()).split())}; no finding is allowed; fetch or "
            "make the product again"
        )
    return sum(check.rows.values())


def _check_files(product: Path, listed: dict[str, str]) -> None:
    for name, wanted in listed.items():
        path = product / name
        got = sha256(path) if path.is_file() else "no such file"
        if got != wanted:
            raise ProductError(
                f"{path}: content differs from the manifest, got {got}; sha256 {wanted} is "
                "allowed; fetch or make the product again"
            )
