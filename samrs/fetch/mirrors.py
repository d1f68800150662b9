"""Getting official files: mirror by mirror, several files at once, whole and checked or not at all.

Files gather in ``.partial/`` and get their name when size and checksum are right. A run that was
killed, at any point, left the beginning of its files there, and the next run asks for the rest. A
file without a published checksum is begun anew: nothing could tell whether its parts belong
together.

The environment variable ``SAMRS_MIRRORS`` names mirrors that are tried before the official
addresses: pairs ``prefix=other-prefix`` separated by blanks, e.g.
``https://hf.co/=https://mirror.example.org/hf/``. Checksums make that safe.
"""

from __future__ import annotations

import logging
import os
import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from samrs.core.errors import ParameterError, SourceError
from samrs.fetch.http import PATIENCE, Patience, TransferError, transfer
from samrs.fetch.meter import TransferMeter
from samrs.fetch.partial_file import partial_file, partial_path, publish, tidy
from samrs.fetch.source import Source, mismatch, verify

log = logging.getLogger("samrs")
MIRRORS = "SAMRS_MIRRORS"


def fetch(source: Source, folder: Path, *, terms: str, patience: Patience = PATIENCE) -> Path:
    """Get one file, see ``fetch_all``; returns ``folder / source.file``.

    Args:
        terms: licence or terms of use, for the error's text.
        patience: how often and how long is tried again.
    """
    fetch_all([source], folder, terms=terms, parallel=1, patience=patience)
    return folder / source.file


def fetch_all(
    sources: Sequence[Source],
    folder: Path,
    *,
    terms: str,
    parallel: int,
    patience: Patience = PATIENCE,
) -> None:
    """Get files from their mirrors into a folder.

    Where a file cannot be had, the others are still fetched before the error is raised.

    Args:
        terms: licence or terms of use, for the error's text.
        parallel: number of files at the same time.
        patience: how often and how long is tried again.

    Raises:
        SourceError: no mirror gave an official file; names each.
        ParameterError: ``SAMRS_MIRRORS`` cannot be read.
    """
    if not sources:
        return
    mirrors = {source.file: addresses(source) for source in sources}
    stop = threading.Event()
    sizes = {source.file: source.size for source in sources}
    with (
        TransferMeter(f"fetch {folder.name}", sizes) as meter,
        ThreadPoolExecutor(max(1, parallel)) as pool,
    ):
        fetchers = [
            _Fetcher(s, folder, mirrors[s.file], terms, patience, meter, stop) for s in sources
        ]
        futures = [pool.submit(fetcher.fetch) for fetcher in fetchers]
        try:
            wait(futures)
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    failed = [e for e in (future.exception() for future in futures) if e is not None]
    for error in failed:
        if len(failed) == 1 or not isinstance(error, SourceError):
            raise error
    if failed:
        raise SourceError(
            f"{folder}: {len(failed)} of {len(sources)} files cannot be had, got "
            + "; and ".join(map(str, failed))
        )


def addresses(source: Source) -> tuple[str, ...]:
    """The addresses a source is fetched from, in order: the user's mirrors, then the official.

    Raises:
        ParameterError: ``SAMRS_MIRRORS`` cannot be read.
    """
    found: list[str] = []
    for pair in os.environ.get(MIRRORS, "").split():
        prefix, equals, other = pair.partition("=")
        if not (prefix and equals and other):
            raise ParameterError(
                f"{MIRRORS}: not a mirror, got {pair!r}; prefix=other-prefix is allowed; "
                "correct the environment variable"
            )
        found += [other + u.removeprefix(prefix) for u in source.urls if u.startswith(prefix)]
    return tuple(dict.fromkeys([*found, *source.urls]))


class _WrongFileError(TransferError):
    """What came to its end is not the official file."""


@dataclass
class _Fetcher:
    """Gets one file."""

    source: Source
    folder: Path
    urls: tuple[str, ...]
    terms: str
    patience: Patience
    meter: TransferMeter
    stop: threading.Event
    failures: dict[str, str] = field(default_factory=dict)
    parts: set[str] = field(default_factory=set)
    """Where the bytes of the partial file come from."""
    mixed: bool = False
    """Whether parts of several origins turned out not to be the file."""

    @property
    def target(self) -> Path:
        return self.folder / self.source.file

    def fetch(self) -> None:
        place = partial_path(self.folder, self.source)
        try:
            with partial_file(place, waiting=self._going) as file:
                if self.target.is_file():  # another process was quicker
                    place.unlink()
                    tidy(place)
                    verify(self.target, self.source)
                else:
                    self._fill(file, place)
                    publish(file, place, self.target)
        except OSError as error:
            raise SourceError(
                f"{self.target}: cannot be written, got {error}; a folder with room for "
                f"{self.source} is needed; make room and try again, what came is kept"
            ) from error
        self.meter.finish(self.source.file)

    def _going(self) -> bool:
        return not self.stop.is_set()

    def _fill(self, file: BinaryIO, place: Path) -> None:
        if file.tell():
            log.info("%s: %d bytes are there already", self.source.file, file.tell())
            self.parts.add("an earlier run")
        if self._go_round(list(self.urls), file, place):
            return
        if self.mixed:  # the parts were not of one file: each mirror on its own
            for url in self.urls:
                _restart(file)
                if self._go_round([url], file, place):
                    return
        if not file.tell():
            place.unlink()
            tidy(place)
        tried = "; ".join(f"{url}: {text}" for url, text in self.failures.items())
        raise SourceError(
            f"{self.target}: cannot be fetched, got {tried or 'no address to try'}; {self.source} "
            f"is allowed (terms: {self.terms}); put that file at {self.target} or try again with "
            "a network: what came is kept"
        )

    def _go_round(self, mirrors: list[str], file: BinaryIO, place: Path) -> bool:
        """Ask the mirrors in turn until the file is whole; False when none is worth a try."""
        best, idle = file.tell(), 0
        answered = False
        while mirrors and self._going():
            if idle >= (self.patience.tries if answered else self.patience.unanswered):
                break
            asked = 0.0
            for url in tuple(mirrors):
                try:
                    self._try(url, file, place)
                    return True
                except TransferError as error:
                    self.failures[url] = str(error)
                    log.warning("%s: %s: %s", self.source.file, url, error)
                    asked = max(asked, error.wait)
                    answered = answered or not error.silent
                    if error.restart:
                        _restart(file)
                    if error.permanent:
                        mirrors.remove(url)
                    if isinstance(error, _WrongFileError):
                        best = 0
                    if self.mixed and len(mirrors) > 1:
                        return False
            at = file.tell()
            gained = at >= best + self.patience.gain
            best, idle = max(best, at), 0 if gained else idle + 1
            if mirrors and idle < self.patience.tries:
                self.stop.wait(self._pause(idle, asked))
        return False

    def _try(self, url: str, file: BinaryIO, place: Path) -> None:
        source = self.source
        if source.checksum is None:
            _restart(file)
        begin = file.tell()
        if not begin:
            self.parts.clear()
        try:
            if source.size is None or begin < source.size:
                transfer(
                    url,
                    file,
                    name=source.file,
                    size=source.size,
                    provable=source.checksum is not None or source.size is not None,
                    patience=self.patience,
                    meter=self.meter,
                    going=self._going,
                )
        finally:
            if file.tell() != begin:
                self.parts.add(url)
        file.flush()
        if (found := mismatch(place, source)) is not None:
            self.mixed = self.parts != {url}
            raise _WrongFileError(f"wrong file, {found}", permanent=not self.mixed, restart=True)

    def _pause(self, idle: int, asked: float) -> float:
        """Seconds until the next try: what a server asks, else more each time, never in step."""
        grown = self.patience.backoff * 2.0**idle * random.uniform(0.5, 1.0)
        return min(self.patience.longest, max(asked, grown))


def _restart(file: BinaryIO) -> None:
    file.truncate(0)
    file.seek(0)
