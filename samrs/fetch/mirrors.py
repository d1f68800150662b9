"""Getting official files: mirror by mirror, several files at once, whole and checked or not at all.

Files gather in ``.partial/`` and get their name when size and checksum are right. A run that was
killed, at any point, left the beginning of its files there, and the next run asks for the rest.

The environment variable ``SAMRS_MIRRORS`` names mirrors that are tried before the official
addresses: pairs ``prefix=other-prefix`` separated by blanks, e.g.
``https://hf.co/=https://mirror.example.org/hf/``. ``HF_ENDPOINT`` is one for Hugging Face, as in
its own tools. Checksums make that safe.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from samrs.core.errors import ParameterError, SourceError
from samrs.fetch.http import TransferError, empty, transfer
from samrs.fetch.meter import TransferMeter
from samrs.fetch.partial_file import fetching, open_part, part_of, publish
from samrs.fetch.source import Source, mismatch, verify

log = logging.getLogger("samrs")
MIRRORS = "SAMRS_MIRRORS"
HUB = "https://hf.co/"
TRIES = 8
"""Failures in a row of one address, none of which brought ``GAIN`` bytes, after which it is asked
no more."""
UNANSWERED = 2
"""The same where nobody has answered yet: without a network a run fails in seconds."""
GAIN = 2**20
BACKOFF, LONGEST = 1.0, 120.0
"""Seconds before the first new try, which double with each; what they double to at most, and what
a server may ask for."""


def fetch_all(sources: Sequence[Source], folder: Path, *, terms: str, parallel: int) -> None:
    """Get files from their mirrors into a folder.

    Where a file cannot be had, the others are still fetched before the error is raised.

    Args:
        terms: licence or terms of use, for the error's text.
        parallel: number of files at the same time.

    Raises:
        SourceError: no mirror gave an official file, or the folder cannot be written.
        ParameterError: ``SAMRS_MIRRORS`` cannot be read.
    """
    if not sources:
        return
    mirrors = {source.file: addresses(source) for source in sources}
    stop = threading.Event()
    try:
        with (
            fetching(folder) as parts,
            TransferMeter(f"fetch {folder.name}", {s.file: s.size for s in sources}) as meter,
            ThreadPoolExecutor(max(1, parallel)) as pool,
        ):
            each = [_Fetch(s, folder, mirrors[s.file], terms, meter, stop) for s in sources]
            futures = [pool.submit(one.run, parts) for one in each]
            try:
                wait(futures)
            except BaseException:
                stop.set()
                pool.shutdown(cancel_futures=True)
                raise
    except OSError as error:
        raise _unwritable(folder, error) from error
    failed = [found for future in futures if (found := future.exception()) is not None]
    if len(failed) > 1 and all(isinstance(found, SourceError) for found in failed):
        raise SourceError(
            f"{folder}: files cannot be had, got {len(failed)} of {len(sources)} lacking; all "
            f"are needed; {'; and '.join(map(str, failed))}"
        )
    for found in failed:
        raise found


def addresses(source: Source) -> tuple[str, ...]:
    """The addresses a source is fetched from, in order: the user's mirrors, then the official.

    Raises:
        ParameterError: ``SAMRS_MIRRORS`` cannot be read.
    """
    found: list[str] = []
    hub = os.environ.get("HF_ENDPOINT", "").rstrip("/")
    pairs = [*os.environ.get(MIRRORS, "").split(), *([f"{HUB}={hub}/"] if hub else [])]
    for pair in pairs:
        prefix, equals, other = pair.partition("=")
        if not (prefix and equals and other):
            raise ParameterError(
                f"{MIRRORS}: not a mirror, got {pair!r}; prefix=other-prefix is allowed; "
                "correct the environment variable"
            )
        found += [other + u.removeprefix(prefix) for u in source.urls if u.startswith(prefix)]
    return tuple(dict.fromkeys([*found, *source.urls]))


def _unwritable(place: Path, error: OSError) -> SourceError:
    return SourceError(
        f"{place}: cannot be written, got {error}; a folder with room is needed; make room and try "
        "again, what came is kept"
    )


@dataclass
class _Fetch:
    """Gets one file."""

    source: Source
    folder: Path
    urls: tuple[str, ...]
    terms: str
    meter: TransferMeter
    stop: threading.Event
    given: set[str] = field(default_factory=set)
    """Who gave what has come; an earlier run has no name."""

    def run(self, parts: Path) -> None:
        target = self.folder / self.source.file
        try:
            if target.is_file():  # another process was quicker
                verify(target, self.source)
            else:
                place = part_of(self.source, parts)
                with open_part(place) as file:
                    self._fill(file, place, target)
                    publish(file, place, target)
        except OSError as error:
            raise _unwritable(target, error) from error
        self.meter.finish()

    def _fill(self, file: BinaryIO, place: Path, target: Path) -> None:
        """Ask the mirrors until the file is whole, one that failed later than the others.

        Parts of several mirrors may turn out not to be of one file. From then on each mirror is
        asked alone, until it has nothing more to give.
        """
        if file.tell():
            log.info("%s: %d bytes are there already", self.source.file, file.tell())
            self.given.add("")
        ready = dict.fromkeys(self.urls, 0.0)
        said: dict[str, TransferError] = {}
        heard: set[str] = set()
        failed: Counter[str] = Counter()
        url, alone = "", False
        while ready and not self.stop.is_set():
            url = url if alone and url in ready else min(ready, key=lambda one: ready[one])
            self.stop.wait(max(0.0, ready[url] - time.monotonic()))
            begin = file.tell()
            try:
                self._transfer(url, file)
                if (found := mismatch(place, self.source)) is None:
                    return
                alone = True
                empty(file)
                raise TransferError(f"wrong file, {found}", permanent=self.given == {url})
            except TransferError as error:
                log.warning("%s: %s: %s", self.source.file, url, error)
                said[url] = error
            failed[url] = 0 if file.tell() >= begin + GAIN else failed[url] + 1
            ready[url] = time.monotonic() + _pause(failed[url], said[url].wait)
            if not said[url].silent:
                heard.add(url)
            if said[url].permanent or failed[url] >= (TRIES if url in heard else UNANSWERED):
                del ready[url]
                if alone:
                    empty(file)
        if not file.tell():
            place.unlink()
        tried = "; ".join(f"{url}: {error}" for url, error in said.items())
        raise SourceError(
            f"{target}: cannot be fetched, got {tried or 'no address to try'}; {self.source} is "
            f"allowed (terms: {self.terms}); put that file at {target} or try again with a "
            "network: what came is kept"
        )

    def _transfer(self, url: str, file: BinaryIO) -> None:
        """Append what an address has to give.

        Raises:
            TransferError: that is not all, or the run is stopped.
        """
        name, size = self.source.file, self.source.size
        if size is not None and file.tell() >= size:
            return
        for num_bytes, total in transfer(url, file, size):
            at = file.tell()
            self.given = {url} if at == num_bytes else {*self.given, url}
            self.meter.came(name, num_bytes, at, total)
            if self.stop.is_set():
                raise TransferError("was stopped", permanent=True)


def _pause(failed: int, asked: float) -> float:
    """Seconds until the next try: what a server asks, else more each time, never in step."""
    return min(LONGEST, max(asked, BACKOFF * 2.0**failed * random.uniform(0.5, 1.0)))
