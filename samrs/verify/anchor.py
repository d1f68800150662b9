"""What a manifest must be, from where its maker wrote it down.

A manifest vouches for its product's files, and nothing in the folder vouches for the manifest:
who changes a mask can write the manifest anew. ``dvc.lock`` and the changelog of a commit or tag
that one trusts, or a digest on a release page, can.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samrs.core.errors import MissingInputError, ProductError
from samrs.core.parameters import BAD_YAML, load_yaml
from samrs.core.shards import sha256
from samrs.verify.manifest import DIGEST, MANIFEST

MOST_BYTES = 64 * 2**20
ROW = re.compile(
    r"\| *(?P<name>[^|]+?) *\| *`(?P<path>[^|`]+)` *\| *(?P<files>\d+) *\| *(?P<bytes>\d+) *"
    r"\| *`(?P<sha256>[0-9a-f]{64})` *\|"
)
"""A published artifact in CHANGELOG.md, as ``samrs/publish/changelog.py`` writes it."""

LISTED = re.compile(r"[0-9a-f]{32}\.dir")
"""How DVC names a folder: by the md5 of the list of its files."""


@dataclass(frozen=True)
class Anchor:
    """What somebody else says of products.

    Args:
        where: what it is from, for findings.
        sha256: of a manifest, by the product's path; the path is empty where it is any product's.
        md5: DVC's names of folders, by path.
    """

    where: str
    sha256: dict[str, list[str]]
    md5: dict[str, list[str]]

    def problem(self, product: Path) -> str:
        """How a product differs from what is said of it; empty where it does not.

        Args:
            product: its folder; what is said of a path that ends in the same name is meant.
        """
        said = [*_of(product, self.sha256), *_of(product, self.md5)]
        if not said:
            known = sorted({*self.sha256, *self.md5})
            return f"{self.where} says nothing of a product {product.name!r}, but of {known[:9]}"
        got = sha256(product / MANIFEST) if self.sha256 else dvc_name(product)
        if got in said:
            return ""
        what = "sha256 of the manifest" if self.sha256 else "DVC's md5 of the folder"
        return f"{what} is {got}, {self.where} has {' or '.join(said)}"


def _of(product: Path, said: dict[str, list[str]]) -> Iterator[str]:
    name = product.resolve().name
    for path, values in said.items():
        if not path or path.rsplit("/", 1)[-1] == name:
            yield from values


def read_anchor(against: str) -> Anchor:
    """An anchor out of a sha256, or a file ``dvc.lock`` or ``CHANGELOG.md``.

    Args:
        against: the sha256 of a manifest, or the file's path.

    Raises:
        MissingInputError: it is neither.
        ProductError: the file does not hold what it should.
    """
    if DIGEST.fullmatch(against.lower()):
        return Anchor("--against", {"": [against.lower()]}, {})
    path = Path(against)
    if not path.is_file():
        raise MissingInputError(
            f"--against: nothing to compare with, got {against!r}; a dvc.lock, a CHANGELOG.md or "
            "the sha256 of a manifest (64 hexadecimal digits) is allowed; correct it"
        )
    if path.stat().st_size > MOST_BYTES:
        raise ProductError(
            f"{path}: too large to compare with, got {path.stat().st_size} bytes; a dvc.lock or a "
            "CHANGELOG.md is allowed; correct --against"
        )
    text = path.read_text(encoding="utf-8", errors="replace")
    found = Anchor(str(path), _published(text), {})
    if path.suffix == ".lock":
        found = Anchor(str(path), {}, dict(_locked(text, str(path))))
    if not (found.sha256 or found.md5):
        raise ProductError(
            f"{path}: names no product, got no digest of a folder; a dvc.lock with outputs, or a "
            "CHANGELOG.md with the table of a release, is allowed; take that of a release"
        )
    return found


def _published(text: str) -> dict[str, list[str]]:
    """The digests that a changelog has of each path, those of all its versions."""
    found: dict[str, list[str]] = {}
    for row in map(ROW.fullmatch, text.splitlines()):
        if row:
            found.setdefault(row["path"], []).append(row["sha256"])
    return found


def _locked(text: str, where: str) -> Iterator[tuple[str, list[str]]]:
    """DVC's names of the folders that a lock lists as outputs."""
    try:
        lock: Any = load_yaml(text)
    except BAD_YAML as error:
        raise ProductError(
            f"{where}: unreadable, got {' '.join(str(error).split())[:200]}; a dvc.lock is "
            "allowed; take that of a release"
        ) from error
    stages = lock.get("stages") if isinstance(lock, dict) else None
    for stage in stages.values() if isinstance(stages, dict) else ():
        outs = stage.get("outs") if isinstance(stage, dict) else None
        for out in outs if isinstance(outs, list) else ():
            name = out.get("md5") if isinstance(out, dict) else None
            if isinstance(name, str) and LISTED.fullmatch(name):
                yield str(out.get("path")), [name]


def dvc_name(folder: Path) -> str:
    """DVC's name of a folder: the md5 of the list of its files with theirs, as JSON.

    From dvc_data (``hashfile/tree.py``, DVC 3): entries sorted by path, keys by name.

    Args:
        folder: it is read whole.
    """
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    listed = sorted(
        ({"md5": _md5(p), "relpath": p.relative_to(folder).as_posix()} for p in files),
        key=lambda entry: entry["relpath"],
    )
    text = json.dumps(listed, sort_keys=True, allow_nan=False)
    return f"{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}.dir"


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
