"""One HTTP transfer of a file; what is there already is not asked for again (RFC 9110, ranges).

A server may send less than it says, more, another part, an error page, or nothing for minutes.
Each is a ``TransferError``. What came before it stays in the file: only a checksum of the whole
tells whether that is right.
"""

from __future__ import annotations

import errno
import queue
import re
import shutil
import threading
import time
from collections.abc import Iterator
from typing import BinaryIO

import requests
from urllib3 import Retry
from urllib3.exceptions import HTTPError, InvalidHeader, MaxRetryError

ANSWER = 10.0
"""Seconds until an answer begins, over all addresses of a host and all redirects."""
STALL = 60.0
"""Seconds without a byte, or on average slower than ``SLOWEST``, that end a transfer."""
SLOWEST = 1024.0
"""Bytes per second."""
CHUNK = 2**20
TRY_AGAIN = (408, 425, 429)
"""Answers beyond 5xx that mean: later."""
LENGTH = r"(\d{1,18})"
"""A number of bytes; a longer one is none."""


class TransferError(Exception):
    """A transfer failed.

    Args:
        permanent: the same address will not do better.
        silent: nobody answered.
        wait: seconds the server asks to wait.
    """

    def __init__(
        self, message: str, *, permanent: bool = False, silent: bool = False, wait: float = 0.0
    ) -> None:
        super().__init__(message)
        self.permanent, self.silent, self.wait = permanent, silent, wait


def transfer(url: str, file: BinaryIO, size: int | None) -> Iterator[tuple[int, int]]:
    """Append to a file what it lacks of the one at an address.

    Args:
        file: open for appending; its end is where the transfer goes on. It is emptied where the
            server has another part than the one asked for.
        size: bytes of the whole file; None where its publisher does not say: then its server must,
            and no more is ever written.

    Yields:
        For each piece: its bytes, first 0 before anything is written, and those of the whole file.

    Raises:
        TransferError: the file did not come to its end.
        OSError: the file cannot be written.
    """
    at = file.tell()
    try:
        with _ask(url, at) as response:
            if response.status_code == 416 and at:
                return  # there is no more: the checksum tells whether it is right
            total = _begin(response, file, size)
            _require_room(file, total, said=size is not None)
            yield 0, total
            for num_bytes in _copy(response, file, total):
                yield num_bytes, total
    except (requests.RequestException, HTTPError, ValueError) as error:
        permanent = isinstance(error, (ValueError, requests.TooManyRedirects))
        silent = bool(error.args) and isinstance(error.args[0], MaxRetryError)
        reason = error.args[0].reason if silent else error
        text = f"{type(error).__name__}: {reason}"
        raise TransferError(text, permanent=permanent, silent=silent) from error


def _ask(url: str, at: int) -> requests.Response:
    """The response, its body not read yet.

    ``requests`` waits for each address of a host, each redirect and each byte of a header anew, so
    another thread asks, which is left behind when it takes too long.
    """
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={at}-"} if at else {})
    answers: queue.SimpleQueue[requests.Response | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(requests.get(url, headers=headers, stream=True, timeout=(ANSWER, STALL)))
        except Exception as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=ANSWER)
    except queue.Empty:
        raise TransferError(f"no answer in {ANSWER:g} s", silent=True) from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _begin(response: requests.Response, file: BinaryIO, size: int | None) -> int:
    """The size of the whole file that a response is of; the file is cut to where that begins."""
    code, headers = response.status_code, response.headers
    if code not in (200, 206):
        busy = code in TRY_AGAIN or code >= 500
        text = f"answers {code} {response.reason}"
        raise TransferError(text, permanent=not busy, wait=_wait(response) if busy else 0.0)
    coding = headers.get("Content-Encoding", "identity")
    if coding.lower() != "identity":
        raise TransferError(f"sends it packed as {coding}", permanent=True)
    if code == 200:
        empty(file)
        stated = re.fullmatch(LENGTH, headers.get("Content-Length", ""))
    else:
        said, at = headers.get("Content-Range", ""), file.tell()
        if not re.match(rf"bytes {at}-\d", said):
            empty(file)
            raise TransferError(f"sends {said or 'no range'} where {at}- was asked")
        stated = re.search(f"/{LENGTH}$", said)
    total = int(stated[1]) if stated else size
    if total is None:
        raise TransferError("does not say how long the file is", permanent=True)
    if size is not None and total != size:
        raise TransferError(f"offers a file of {total} bytes", permanent=True)
    return total


def _wait(response: requests.Response) -> float:
    """Seconds that a server asks to wait; 0 where that is neither a number nor a date."""
    try:
        return Retry().parse_retry_after(response.headers.get("Retry-After", "0"))
    except (InvalidHeader, ValueError, OverflowError):
        return 0.0


def _require_room(file: BinaryIO, total: int, *, said: bool) -> None:
    """Refuse what does not fit; ``said``: its publisher says so, and not only this server."""
    left, free = total - file.tell(), shutil.disk_usage(file.fileno()).free
    if left > free:
        text = f"{left} bytes are to come, {free} are free"
        raise OSError(errno.ENOSPC, text) if said else TransferError(text, permanent=True)


def _copy(response: requests.Response, file: BinaryIO, total: int) -> Iterator[int]:
    at = file.tell()
    since, had = time.monotonic(), at
    while data := response.raw.read1(CHUNK, decode_content=False):
        at += len(data)
        if at > total:
            empty(file)
            raise TransferError(f"sends more than {total} bytes", permanent=True)
        file.write(data)
        file.flush()  # so that a killed process leaves what came
        yield len(data)
        now = time.monotonic()
        if now - since >= STALL:
            if at - had < SLOWEST * (now - since):
                raise TransferError(f"sent {at - had} bytes in {now - since:.0f} s")
            since, had = now, at
    if at < total:
        raise TransferError(f"ends after {at} of {total} bytes")


def empty(file: BinaryIO) -> None:
    """Begin a file anew."""
    file.truncate(0)
    file.seek(0)
