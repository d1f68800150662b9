"""Who may ask: a browser of this machine that was given the token, from this page alone.

The server listens on loopback, which is not enough: every page that the browser shows can send
requests there. So a request must name this server as its Host (else a name that somebody points at
127.0.0.1 would do: DNS rebinding), must not come from another Origin, and must carry the cookie
that the first address, the one with the token, gave in exchange. The cookie is random, kept from
scripts and other sites, and worth nothing once the process ends; but a browser sends it to every
server on 127.0.0.1, since cookies do not tell ports apart, so one of another port that is opened in
the same browser can read it.
"""

from __future__ import annotations

import secrets

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
MOST_BYTES = 2**20
"""Of a request's body."""


class Guard:
    """Lets requests through to an application, or refuses them.

    Args:
        app: what is guarded.
        port: that the server listens on.
        token: that the first address carries.
    """

    def __init__(self, app: ASGIApp, port: int, token: str) -> None:
        self._app, self._token = app, token
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._cookie = f"samrs-review-{port}"  # two reviews at a time
        self._session = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refused = self._refused(scope) or self._entering(scope)
        await (refused or self._app)(scope, receive, with_headers)

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if host not in self._hosts:
            return _no(403, "another Host")
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return _no(405, "another method")
        changes = scope["method"] == "POST"
        if (origin is None and changes) or (origin is not None and origin != f"http://{host}"):
            return _no(403, "another Origin")
        if changes:
            kind = headers.get("content-type", "").partition(";")[0].strip()
            if kind != "application/json":
                return _no(415, "no JSON")
            size = headers.get("content-length", "")
            if not size.isdecimal() or int(size) > MOST_BYTES:
                return _no(413, "too much")
        return None

    def _entering(self, scope: Scope) -> Response | None:
        """The way in: the token for a cookie; afterwards the cookie."""
        query = QueryParams(scope["query_string"])
        given = query.getlist("token") if scope["path"] == "/" else []
        if len(given) == 1 and secrets.compare_digest(given[0].encode(), self._token.encode()):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(self._cookie, self._session, httponly=True, samesite="strict")
            return answer
        cookies = Headers(scope=scope).get("cookie", "")
        wanted = f"{self._cookie}={self._session}".encode()
        if any(secrets.compare_digest(c.strip().encode(), wanted) for c in cookies.split(";")):
            return None
        return _no(403, "no token: open the address that samrs review printed")


def _no(status: int, why: str) -> Response:
    return PlainTextResponse(f"refused: {why}\n", status)


def address(port: int, token: str) -> str:
    """The first address, that a person opens.

    Args:
        port: of the server.
        token: that lets in.
    """
    return f"http://127.0.0.1:{port}/?token={token}"
