from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from samrs.core.errors import SourceError
from samrs.fetch.source import Source, missing, verify
from samrs.weights.checkpoints.sam import PUBLISHED
from tests.download.published import EDITIONS, MODULES

BODY = b"the publisher's bytes " * 5000
SHA = "sha256:" + hashlib.sha256(BODY).hexdigest()

OFFICIAL = [
    *(s for module in MODULES for s in module.SOURCES),
    *(s for _, edition in EDITIONS for s in edition.sources),
    *PUBLISHED.values(),
]


def source(checksum: str | None = SHA, size: int | None = len(BODY)) -> Source:
    return Source("images.bin", (), checksum, "", "https://example.org/page", size)


def test_verify_accepts_the_official_file_only(tmp_path: Path) -> None:
    path = tmp_path / "images.bin"
    path.write_bytes(BODY)
    verify(path, source())
    verify(path, source(checksum=SHA.replace("sha256:", "sha256:").upper().replace("SHA", "sha")))
    verify(path, source(checksum=None, size=None))
    path.write_bytes(BODY[:-1])
    with pytest.raises(SourceError, match=f"got {len(BODY) - 1} bytes; images.bin"):
        verify(path, source())
    path.write_bytes(BODY[:-1] + b"?")
    with pytest.raises(SourceError, match="not the official file, got sha256:"):
        verify(path, source())


def test_missing_lists_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    a, b = (Source(name, (), None, "", "page") for name in "ab")
    assert missing([a, b], tmp_path) == [b]


@pytest.mark.parametrize("official", OFFICIAL, ids=lambda s: s.file)
def test_whatever_is_fetched_is_pinned_by_a_checksum_and_a_revision(official: Source) -> None:
    assert official.page.startswith("https://")
    assert not Path(official.file).is_absolute()
    assert ".." not in Path(official.file).parts
    if official.checksum is not None:
        assert re.fullmatch(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", official.checksum)
    for url in official.urls:
        assert url.startswith("https://")
        assert " " not in url
        assert official.checksum, "an address without a checksum"
    if any("hf.co" in url for url in official.urls):
        assert re.fullmatch("[0-9a-f]{40}", official.revision or "")


def test_a_revision_is_read_out_of_the_address() -> None:
    url = "https://hf.co/datasets/isaaccorley/vhr10/resolve/7e7968ad265dadc4494e0ca4a079e0b63dc6f3f8/a"
    pinned = Source("a", (url,), SHA, "", "page")
    assert pinned.revision == "7e7968ad265dadc4494e0ca4a079e0b63dc6f3f8"
    assert source().revision is None


def test_every_official_file_of_the_reference_is_there() -> None:
    """How many checksums the list of sources gives for each publisher."""
    given = {s.file: s.checksum for s in OFFICIAL if s.checksum}
    endings = {
        "dotav": 8,
        "Images_|Annotations_": 3,
        "train/part|validation/": 6,
        "NWPU|annotations.json": 2,
        "4_Ortho_RGBIR": 1,
        "sam_vit_": 3,
        "sam-vit-base|mobile_sam": 2,
    }
    found = {e: sum(bool(re.match(e, file)) for file in given) for e in endings}
    assert found == endings
    assert sum(endings.values()) == len(given)
