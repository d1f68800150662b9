"""A web server on this machine that hands out files well, badly, in part, and never."""

from __future__ import annotations

import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Server:
    """Files by path, with byte ranges as RFC 9110 has them, and what goes wrong with them.

    Attributes:
        faults: by path, what goes wrong with each request in turn; afterwards all is well.
        always: by path, what goes wrong with every request.
        moved: paths that send on to another path.
        elsewhere: paths that send on to another address.
        sent: bytes of the bodies without end.
        no_ranges: paths that are always sent from their first byte.
        asked: the paths of all requests.
        ranges: what each request asked for, None for all.

    A fault is a status (503), or one of: ``cut`` (half of what is due), ``reset`` and ``stall``
    (after half of it), ``trickle`` (byte by byte), ``long`` and ``short`` (declared 9 bytes more,
    fewer), ``long file`` (a whole file 9 bytes longer), ``other range`` (another part than asked),
    ``wrong`` (other bytes), ``gzip`` (declared as packed), ``chunked`` (no length), ``chunked cut``
    (that, without its end), ``endless`` (no length; the end of the connection is the end),
    ``infinite`` and ``infinite chunks`` (no length, no end), ``huge`` (declared 2**59 bytes more),
    ``no number`` (its length), ``slow header`` (byte by byte, without end).
    """

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[Any]] = field(default_factory=dict)
    always: dict[str, Any] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)
    sent: Counter[str] = field(default_factory=Counter)
    no_ranges: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    retry_after: str = "0"
    over: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str) -> str:
        return f"{self.address}/{path}"

    def fault(self, name: str) -> Any:
        if self.faults.get(name):
            return self.faults[name].pop(0)
        return self.always.get(name)


class Handler(BaseHTTPRequestHandler):
    state: Server

    def do_GET(self) -> None:
        state, name, asked = self.state, self.path.lstrip("/"), self.headers.get("Range")
        state.asked.append(name)
        state.ranges.append(asked)
        fault = state.fault(name)
        if name in state.moved or name in state.elsewhere:
            self.send_response(302)
            place = state.elsewhere.get(name) or state.url(state.moved.get(name, ""))
            self.send_header("Location", place)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if name not in state.files:
            self.send_error(404)
            return
        if isinstance(fault, int):
            self.send_response(fault)
            self.send_header("Retry-After", state.retry_after)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        whole = state.files[name]
        if fault == "wrong":
            whole = whole[::-1]
        if fault == "long file":
            whole = whole + b"123456789"
        if fault in ("infinite", "infinite chunks", "slow header"):
            self.send_without_end(name, fault)
            return
        self.send_body(whole, None if name in state.no_ranges else asked, fault)

    def send_body(self, whole: bytes, asked: str | None, fault: str | None) -> None:
        begin, _, end = (asked or "0-").removeprefix("bytes=").partition("-")
        first, last = int(begin), min(int(end or len(whole)), len(whole) - 1)
        if asked and first >= len(whole):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(whole)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if asked and fault == "other range":
            first -= 5
        body = whole[first : last + 1]
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(whole)}")
        if fault == "gzip":
            self.send_header("Content-Encoding", "gzip")
        if fault in ("chunked", "chunked cut"):
            self.send_header("Transfer-Encoding", "chunked")
        elif fault != "endless":
            lie = {"long": 9, "short": -9, "huge": 2**59}.get(fault or "", 0)
            length = "9" * 5000 if fault == "no number" else str(len(body) + lie)
            self.send_header("Content-Length", length)
        self.end_headers()
        if fault in ("chunked", "chunked cut"):
            self.wfile.write(f"{len(body):x}\r\n".encode() + body + b"\r\n")
            self.wfile.write(b"" if fault == "chunked cut" else b"0\r\n\r\n")
            return
        if fault in ("cut", "reset", "stall"):
            body = body[: len(body) // 2]
        if fault == "trickle":
            for byte in body:
                if self.state.over.wait(0.02):
                    return
                self.wfile.write(bytes([byte]))
        self.wfile.write(body[: len(body) - 9] if fault == "short" else body)
        self.wfile.flush()
        if fault == "stall":
            self.state.over.wait(30)
        if fault == "reset":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()

    def send_without_end(self, name: str, fault: str) -> None:
        self.send_response(200)
        if fault == "slow header":
            self.flush_headers()
            while not self.state.over.wait(0.02):
                self.wfile.write(b"x")
            return
        chunked = fault == "infinite chunks"
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        block = b"x" * 2**16
        while not self.state.over.is_set():
            self.wfile.write(b"10000\r\n" + block + b"\r\n" if chunked else block)
            self.state.sent[name] += len(block)

    def log_message(self, *args: object) -> None:
        pass


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args: object) -> None:
        """The client hung up, as some tests make it."""


@contextmanager
def serving() -> Iterator[Server]:
    """A server until the end of the context."""
    handler = type("StatefulHandler", (Handler,), {})
    http = QuietServer(("127.0.0.1", 0), handler)
    handler.state = state = Server(f"http://127.0.0.1:{http.server_address[1]}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    state.over.set()
    http.shutdown()
    http.server_close()
    thread.join()
