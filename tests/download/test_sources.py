from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from samrs.core.errors import SourceError
from samrs.core.sources import PARTIAL, Source, fetch, missing, verify

BODY = b"the publisher's bytes " * 5000
SHA = "sha256:" + hashlib.sha256(BODY).hexdigest()
MD5 = "md5:" + hashlib.md5(BODY, usedforsecurity=False).hexdigest()


def source(*urls: str, checksum: str | None = SHA, size: int | None = len(BODY)) -> Source:
    return Source("images.bin", urls, checksum, "", "https://example.org/page", size)


def left_over(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("checksum", [SHA, MD5, None])
def test_a_good_file_is_fetched_and_nothing_else_stays(
    server: Any, tmp_path: Path, checksum: str | None
) -> None:
    server.files["good"] = BODY
    path = fetch(source(server.url("good"), checksum=checksum), tmp_path, terms="free")
    assert path == tmp_path / "images.bin"
    assert path.read_bytes() == BODY
    assert left_over(tmp_path) == ["images.bin"]


def test_a_file_of_a_folder_goes_into_that_folder(server: Any, tmp_path: Path) -> None:
    server.files["good"] = BODY
    nested = Source("train/images.bin", (server.url("good"),), SHA, "", "page")
    assert fetch(nested, tmp_path, terms="free") == tmp_path / "train" / "images.bin"


def test_wrong_bytes_are_never_kept(server: Any, tmp_path: Path) -> None:
    server.files["wrong"] = BODY[::-1]
    with pytest.raises(SourceError, match=r"images\.bin: cannot be fetched.*hash.*terms: free"):
        fetch(source(server.url("wrong")), tmp_path, terms="free")
    assert left_over(tmp_path) == []


def test_a_wrong_size_is_refused_where_there_is_no_checksum(server: Any, tmp_path: Path) -> None:
    server.files["short"] = BODY[:100]
    with pytest.raises(SourceError, match="got 100 bytes"):
        fetch(source(server.url("short"), checksum=None), tmp_path, terms="free")
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("checksum", [SHA, None])
def test_a_truncated_file_is_never_kept(server: Any, tmp_path: Path, checksum: str | None) -> None:
    server.files["cut"] = BODY
    server.cut.add("cut")
    with pytest.raises(SourceError, match="cannot be fetched"):
        fetch(source(server.url("cut"), checksum=checksum, size=None), tmp_path, terms="free")
    assert left_over(tmp_path) == []


def test_mirrors_are_tried_in_order(server: Any, tmp_path: Path) -> None:
    server.files |= {"wrong": b"x" * len(BODY), "good": BODY, "unused": BODY}
    urls = [server.url(name) for name in ("absent", "wrong", "good", "unused")]
    assert fetch(source(*urls), tmp_path, terms="free").read_bytes() == BODY
    assert server.asked == ["absent", "wrong", "good"]


def test_the_remains_of_a_killed_download_are_not_taken_for_the_file(
    server: Any, tmp_path: Path
) -> None:
    remains = tmp_path / PARTIAL / "images.bin" / "images.bin"
    remains.parent.mkdir(parents=True)
    remains.write_bytes(BODY[:10])
    server.files["good"] = BODY
    unchecked = source(server.url("good"), checksum=None)
    assert fetch(unchecked, tmp_path, terms="free").read_bytes() == BODY


def test_no_network_says_file_address_checksum_and_place(tmp_path: Path) -> None:
    address = "http://127.0.0.1:9/images.bin"
    with pytest.raises(SourceError) as error:
        fetch(source(address), tmp_path, terms="free")
    for part in ("images.bin", address, SHA, f"put that file at {tmp_path / 'images.bin'}"):
        assert part in str(error.value)


def test_verify_accepts_the_official_file_only(tmp_path: Path) -> None:
    path = tmp_path / "images.bin"
    path.write_bytes(BODY)
    verify(path, source())
    path.write_bytes(BODY[:-1])
    with pytest.raises(SourceError, match=f"got {len(BODY) - 1} bytes; images.bin"):
        verify(path, source())
    path.write_bytes(BODY[:-1] + b"?")
    with pytest.raises(SourceError, match="not the official file, got sha256:"):
        verify(path, source())


def test_verify_warns_of_a_file_without_checksum(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "images.bin"
    path.write_bytes(BODY)
    verify(path, source(checksum=None))
    assert "taken unverified" in caplog.text


def test_missing_lists_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    a, b = (Source(name, (), None, "", "page") for name in "ab")
    assert missing([a, b], tmp_path) == [b]
