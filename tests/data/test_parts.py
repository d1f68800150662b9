"""Of a file in a remote, what is read is fetched, and little around it."""

from __future__ import annotations

from pathlib import Path

import fsspec
import numpy as np

from benchmarks.part import with_ranges
from samrs.data.reader import as_asked

SIZE = 24 * 2**20


def test_places_that_lie_far_apart_are_fetched_without_what_lies_between(tmp_path: Path) -> None:
    data = np.random.default_rng(0).bytes(SIZE)
    (tmp_path / "shard").write_bytes(data)
    (tmp_path / "small").write_bytes(data[:1000])
    fetched = {}
    with with_ranges(tmp_path) as sent:
        system = fsspec.filesystem("http", skip_instance_cache=True)
        for name, how in (("blocks", lambda file: file), ("as asked", as_asked)):
            with how(system.open(f"{sent.url}/shard", "rb")) as file:
                sent.taken()
                for place in (SIZE - 100, 4096, SIZE // 2, SIZE // 4):
                    file.seek(place)
                    assert file.read(50) == data[place : place + 50]
            fetched[name] = sent.taken()["bytes"]
        with as_asked(system.open(f"{sent.url}/small", "rb")) as file:
            sent.taken()
            file.seek(500)
            assert file.read(10) == data[500:510]
            assert file.read() == data[510:1000]
            assert sent.requests == 1, "a small file comes whole"
    assert fetched["as asked"] == 200
    assert fetched["blocks"] > 5 * 2**20
