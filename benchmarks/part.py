"""How many bytes a part of a release costs that lies in a remote: a shard, a tile, all of it.

    python -m benchmarks.part data/release

The folder's subsets are published to a server on loopback that answers HTTP ranges and counts the
bytes of its answers. A line of JSON for each way, with bytes and requests: `dvc pull` of one shard
(the middle one of the tiles), a tile of it through `samrs.data.open_remote`, where a row group of
pictures is the least that is read, and `dvc pull` of everything.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.pull import published
from samrs.data import ReleaseTiles, open_remote
from samrs.publish.artifacts import MANIFEST
from samrs.publish.repository import Repository
from samrs.publish.stranger import environment

BLOCK = 2**16
"""Bytes that are sent at once."""


@dataclass
class Sent:
    """What a server answered.

    Args:
        url: of the server.
        sizes: bytes of all answers by path.
        requests: number of them.
    """

    url: str
    sizes: dict[str, int]
    requests: int = 0

    def taken(self) -> dict[str, int]:
        """Bytes and requests since this was last asked."""
        said = {"bytes": sum(self.sizes.values()), "requests": self.requests}
        self.sizes.clear()
        self.requests = 0
        return said


@contextmanager
def with_ranges(folder: Path) -> Iterator[Sent]:
    """A folder over HTTP on loopback, as object stores serve it: whole files and parts of them."""
    sent = Sent("", {})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            path = folder / self.path.lstrip("/")
            if not path.is_file():
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            size = path.stat().st_size
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            first, last = (int(asked[1]), int(asked[2] or size - 1)) if asked else (0, size - 1)
            last = min(last, size - 1)
            self.send_response(206 if asked else 200)
            self.send_header("Accept-Ranges", "bytes")
            if asked:
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            self.send_header("Content-Length", str(last - first + 1))
            sent.requests += 1  # before the client can go on and ask for the sum
            self.end_headers()
            if not body:
                return
            with path.open("rb") as file:
                file.seek(first)
                left = last - first + 1
                while left:
                    block = file.read(min(left, BLOCK))
                    sent.sizes[self.path] = sent.sizes.get(self.path, 0) + len(block)
                    self.wfile.write(block)  # until a client that wanted the head hangs up
                    left -= len(block)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Patient(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client may hang up."""

    with Patient(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        sent.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield sent
        finally:
            server.shutdown()
            thread.join()


def measure(release: Path) -> Iterator[dict[str, Any]]:
    """Publish into a temporary folder and fetch parts from there.

    Args:
        release: folder of subsets.
    """
    subset = min(release.glob(f"*/{MANIFEST}")).parent
    shards = sorted(path.name for path in subset.glob("tiles-*.parquet"))
    shard = shards[len(shards) // 2]
    whole = sum(p.stat().st_size for p in release.rglob("*") if p.is_file())
    yield {"release_bytes": whole, "tiles_shards": len(shards)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "store").mkdir()
        with with_ranges(folder / "store") as sent:
            source = published(release, folder, str(folder / "store"), sent.url, {})
            (folder / "puller").mkdir()
            stranger = Repository(folder / "puller", environment(folder / "puller"))
            stranger.git("clone", "--quiet", source.root.as_uri(), "clone")
            clone = Repository(folder / "puller" / "clone", stranger.env)
            sent.taken()
            clone.dvc("pull", "--quiet", f"data/release/{subset.name}/{shard}")
            size = (subset / shard).stat().st_size
            yield {"what": f"dvc pull of {shard}", "file_bytes": size, **sent.taken()}
            stranger.git("clone", "--quiet", source.root.as_uri(), "reader")
            os.environ.update(environment(folder / "reader"))
            there = open_remote(str(folder / "puller" / "reader"), subset.name)
            tiles = ReleaseTiles(there)
            yield {"what": "samrs.data opens the release", **sent.taken()}
            tile = tiles[len(tiles) // 2]
            yield {"what": f"samrs.data reads tile {tile['tile_id']}", **sent.taken()}
            clone.dvc("pull", "--quiet")
            yield {"what": "dvc pull of the rest", **sent.taken()}


def main() -> None:
    parser = argparse.ArgumentParser("benchmarks.part", description=__doc__.partition("\n")[0])
    parser.add_argument("release", type=Path, help="folder of subsets, e.g. data/release")
    for line in measure(parser.parse_args().release):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
