"""What a run leaves to the next is whole or missing, whatever happened to the disk."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from samrs.work.kept import MARK, keep, kept, seal, unseal, write_whole


def test_kept_content_comes_back_and_nothing_else_does(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert kept(path) is None
    for content in (b"", b"abc", MARK * 3):
        keep(path, content)
        assert kept(path) == content
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_every_flipped_bit_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a"
    whole = seal(b"some content")
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert kept(path) is None
        assert not path.exists()
    assert caplog.text.count("damaged, removed; what it held is made again") == 8 * len(whole)


@pytest.mark.parametrize("damage", [b"", b"\0" * 80, MARK, seal(b"a")[:-1], seal(b"a") + b"\0"])
def test_a_file_cut_off_or_filled_up_is_noticed(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "a").write_bytes(damage)
    assert kept(tmp_path / "a") is None


def test_a_flipped_bit_costs_one_of_many_contents() -> None:
    contents = [bytes([n]) * (n + 1) for n in range(9)]
    whole = b"".join(map(seal, contents))
    assert [content for _, _, content in unseal(whole)] == contents
    rng = random.Random(3)
    for bit in rng.sample(range(8 * len(whole)), 300):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        found = [content for _, _, content in unseal(bytes(damaged))]
        good = [content for content in found if content is not None]
        assert len(good) == len(contents) - 1
        assert set(good) < set(contents)
        assert None in found


def test_what_cannot_be_written_leaves_the_file_before_it(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"before")
    (tmp_path / "a.part").mkdir()
    with pytest.raises(OSError, match=r"a\.part"):
        write_whole(tmp_path / "a", b"after")
    assert (tmp_path / "a").read_bytes() == b"before"
