"""Servers that lie, stall, redirect and never end, before a mirror that is right and alone."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from samrs.core.errors import SamrsError
from samrs.fetch import http, mirrors
from samrs.fetch.mirrors import fetch_all
from samrs.fetch.source import Source
from tests.fetch.server import Server, serving
from tools.attack.outcome import Outcome, numbered

FAULTS: tuple[Any, ...] = (
    "cut", "reset", "stall", "trickle", "long", "short", "long file", "other range", "wrong",
    "gzip", "chunked cut", "infinite", "infinite chunks", "huge", "no number", "slow header",
    400, 403, 404, 416, 429, 500, 503,
)  # fmt: skip
RETRY = ("0", "-1", "9" * 400, "Thu, 01 Jan 1970 00:00:00 GMT", "\t", "1e9", "nan")
PLACES = ("file:///etc/passwd", "ftp://x/", "http://", "//", "http://[::1", "\x7f", "javascript:1")
PACE = {mirrors: {"GAIN": 1000, "BACKOFF": 0.001, "LONGEST": 0.01},
        http: {"STALL": 0.5, "SLOWEST": 1e6}}  # fmt: skip
"""Pauses of nothing, and half a second is a stall."""


@contextmanager
def _hurried() -> Iterator[None]:
    before = {m: {n: getattr(m, n) for n in values} for m, values in PACE.items()}
    try:
        for module, values in PACE.items():
            vars(module).update(values)
        yield
    finally:
        for module, values in before.items():
            vars(module).update(values)


def attacks(work: Path, seed: int, tries: int) -> Iterator[Outcome]:
    """Fetch a file from each kind of server, once before a good mirror and once without one.

    Args:
        work: an empty folder.
        seed: of the file's bytes.
        tries: not used; there are as many attacks as faults.
    """
    body = random.Random(seed).randbytes(20_000)
    with _hurried(), serving() as server:
        server.files |= {"good": body, "bad": body}
        yield from numbered(_faults(work, server, body))


def _faults(
    work: Path, server: Server, body: bytes
) -> Iterator[tuple[str, Callable[[], str | None]]]:
    for fault in FAULTS:
        for alone in (False, True):
            server.always, server.elsewhere, server.retry_after = {"bad": fault}, {}, "0"
            folder = work / f"{fault}-{alone}".replace(" ", "-")
            yield f"{fault}{', alone' * alone}", _fetching(server, folder, body, alone)
    for retry in RETRY:
        server.always, server.retry_after = {"bad": 503}, retry.strip()
        yield (
            f"Retry-After {retry[:20]!r}",
            _fetching(server, work / f"retry{RETRY.index(retry)}", body, alone=False),
        )
    for place in PLACES:
        server.always, server.elsewhere = {}, {"bad": place}
        yield (
            f"Location {place!r}",
            _fetching(server, work / f"place{PLACES.index(place)}", body, alone=False),
        )


def _fetching(server: Server, folder: Path, body: bytes, alone: bool) -> Callable[[], str | None]:
    """Right bytes; of a bad server alone a sentence, and no file of its name."""
    urls = (server.url("bad"),) if alone else (server.url("bad"), server.url("good"))
    checksum = "sha256:" + hashlib.sha256(body).hexdigest()
    wanted = Source("images.bin", urls, checksum, "", "https://example.org/page", len(body))

    def judge() -> str | None:
        target = folder / wanted.file
        try:
            fetch_all([wanted], folder, terms="free", parallel=1)
        except SamrsError:
            if target.exists():
                return "a file of the name is there all the same"
            if not alone:
                return "the good mirror was not asked"
            raise
        return None if target.read_bytes() == body else "other bytes"

    return judge
