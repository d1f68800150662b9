"""One HTTP transfer of a file; what is there already is not asked for again (RFC 9110, ranges).

A server may send less than it says, more, another part, an error page, or nothing for minutes.
Each is a ``TransferError`` that says whether the same server is worth another try. What was
written stays, as it is the file's beginning as far as this server told; only a checksum of the
whole tells whether it is right.
"""

from __future__ import annotations

import errno
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import requests
import urllib3

from samrs.fetch.meter import TransferMeter

CHUNK = 2**20
TRY_AGAIN = (408, 425, 429)
"""Answers beyond 5xx that mean: later."""
HOPELESS = (
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.TooManyRedirects,
)


class TransferError(Exception):
    """A transfer failed.

    Attributes:
        permanent: the same address will not do better.
        restart: what is there is no beginning of what the server has.
        wait: seconds the server asks to wait.
        silent: nobody answered.
    """

    def __init__(
        self, message: str, *, permanent: bool = False, restart: bool = False, wait: float = 0.0,
        silent: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.permanent, self.restart, self.wait = permanent, restart, wait
        self.silent = silent


@dataclass(frozen=True)
class Patience:
    """How long a transfer is waited for.

    Args:
        connect: seconds for a connection.
        stall: seconds without a byte, or on average slower than ``slowest``, that end it.
        slowest: bytes per second.
        unanswered: tries that end all when nobody has answered yet: there is no network.
        tries: failures in a row, none of which brought ``gain`` bytes, that end all.
        gain: bytes.
        backoff: seconds before the first new try; doubles with each.
        longest: seconds it may double to, and that a server may ask for.
    """

    connect: float = 5.0
    stall: float = 60.0
    slowest: float = 1024.0
    unanswered: int = 2
    tries: int = 8
    gain: int = 2**20
    backoff: float = 1.0
    longest: float = 120.0


PATIENCE = Patience()


def transfer(
    url: str,
    file: BinaryIO,
    *,
    name: str,
    size: int | None,
    provable: bool,
    patience: Patience,
    meter: TransferMeter,
    going: Callable[[], bool],
) -> None:
    """Append to a file what it lacks of the one at an address.

    Args:
        file: open for appending; its position is where the transfer goes on.
        name: by which the meter knows the file.
        size: bytes of the whole file; None where unknown.
        provable: whether the caller can tell a whole file from a part of it (by checksum or
            size); where not, the server must say where the file ends.
        patience: how long a slow server is waited for.
        going: asked at every chunk; False ends the transfer.

    Raises:
        TransferError: the file did not come to its end.
        OSError: the file cannot be written.
    """
    at = file.tell()
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={at}-"} if at else {})
    try:
        with requests.get(
            url, headers=headers, stream=True, timeout=(patience.connect, patience.stall)
        ) as response:
            begin, total = _beginning(response, at)
            _check_offer(response, total, size, provable)
            if begin != at:
                file.truncate(begin)
                file.seek(begin)
            total = size if total is None else total
            meter.begin(name, begin, total)
            _require_room(file, begin, total)
            if response.status_code != 416:
                _copy_body(response, file, name, total, patience, meter, going)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        hopeless = isinstance(error, HOPELESS)
        text = f"{type(error).__name__}: {error}"
        silent = isinstance(error, requests.ConnectionError) and file.tell() == at
        raise TransferError(text, permanent=hopeless, silent=silent) from error


def _beginning(response: requests.Response, at: int) -> tuple[int, int | None]:
    """The byte a body begins at and the size of the whole file, None where it is not told."""
    code, stated = response.status_code, response.headers.get("Content-Range", "")
    if code == 200:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    if code == 206:
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", stated.strip())
        if match is None or int(match[1]) != at:
            raise TransferError(f"sends {stated or 'no range'} where {at}- was asked", restart=True)
        return at, None if match[3] == "*" else int(match[3])
    if code == 416:
        match = re.fullmatch(r"bytes \*/(\d+)", stated.strip())
        if match is None or int(match[1]) != at:
            raise TransferError(f"has nothing from byte {at} on, {stated}", restart=True)
        return at, at
    text = f"answers {code} {response.reason}"
    if code in TRY_AGAIN or code >= 500:
        raise TransferError(text, wait=_wait(response))
    raise TransferError(text, permanent=True)


def _wait(response: requests.Response) -> float:
    """Seconds that a server asks to wait."""
    try:
        stated = response.headers.get("Retry-After", "0")
        return urllib3.Retry().parse_retry_after(stated)
    except urllib3.exceptions.InvalidHeader:
        return 0.0


def _check_offer(
    response: requests.Response, total: int | None, size: int | None, provable: bool
) -> None:
    coding = response.headers.get("Content-Encoding", "identity")
    if coding.lower() != "identity":
        raise TransferError(f"sends it packed as {coding}", permanent=True)
    if size is not None and total is not None and total != size:
        raise TransferError(f"offers a file of {total} bytes", permanent=True)
    ends = total is not None or "chunked" in response.headers.get("Transfer-Encoding", "").lower()
    if not ends and not provable:
        raise TransferError("does not say where the file ends", permanent=True)


def _require_room(file: BinaryIO, begin: int, total: int | None) -> None:
    free = shutil.disk_usage(Path(file.name).parent).free
    if total is not None and total - begin > free:
        raise OSError(errno.ENOSPC, f"{total - begin} bytes are to come, {free} are free")


def _copy_body(
    response: requests.Response,
    file: BinaryIO,
    name: str,
    total: int | None,
    patience: Patience,
    meter: TransferMeter,
    going: Callable[[], bool],
) -> None:
    at = file.tell()
    since, had = time.monotonic(), at
    while data := response.raw.read1(CHUNK, decode_content=False):
        at += len(data)
        if total is not None and at > total:
            raise TransferError(f"sends more than {total} bytes", permanent=True, restart=True)
        file.write(data)
        file.flush()  # so that a killed process leaves what came
        meter.add(name, len(data))
        if not going():
            raise TransferError("was stopped", permanent=True)
        now = time.monotonic()
        if now - since >= patience.stall:
            if at - had < patience.slowest * (now - since):
                raise TransferError(f"sent {at - had} bytes in {now - since:.0f} s")
            since, had = now, at
    if total is not None and at < total:
        raise TransferError(f"ends after {at} of {total} bytes")
