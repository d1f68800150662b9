"""The review's server, on this machine alone."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable

import uvicorn

from samrs.core.errors import ParameterError
from samrs.review.guard import Guard, address
from samrs.review.review import Review
from samrs.review.server import application

LOOPBACK = "127.0.0.1"


def serve(review: Review, port: int, ready: Callable[[str], None]) -> None:
    """Serve the page until the process is stopped.

    Args:
        review: what is reviewed.
        port: 0 takes a free one.
        ready: told the first address once it answers.

    Raises:
        ParameterError: the port is taken.
    """
    token = secrets.token_urlsafe(32)
    with _listening(port) as listening:
        port = int(listening.getsockname()[1])
        app = Guard(application(review.desk, review.beside, review.write_metrics), port, token)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, ws="none",
            lifespan="off", timeout_graceful_shutdown=3,
        )  # fmt: skip
        ready(address(port, token))
        try:
            uvicorn.Server(config).run(sockets=[listening])
        finally:
            if review.desk.mender is not None:
                review.desk.mender.close()


def _listening(port: int) -> socket.socket:
    """A socket that listens on loopback."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((LOOPBACK, port))
        made.listen(128)
    except OSError as error:
        made.close()
        raise ParameterError(
            f"review: port {port} cannot be had, got {error.strerror}; a free port is allowed; "
            "name another, or none"
        ) from error
    return made
