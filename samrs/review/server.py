"""The server of a review: pictures and masks for the page, and what people say of them.

Everything is asked for by number; no path, id or name from outside reaches the disk. The page's own
files are read when the server starts. Requests are answered by threads, so that a tile that is
encoded keeps nobody else waiting.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from samrs.core.errors import ParameterError, SamrsError
from samrs.core.shards import json_text
from samrs.review.beside import Beside
from samrs.review.desk import ChangedError, Desk
from samrs.review.estimates import estimates
from samrs.review.index import STORED, Wanted
from samrs.review.told import (
    marks_told,
    mask_told,
    neighbours_told,
    path,
    release_told,
    state_told,
)

log = logging.getLogger("samrs")
PAGE = Path(__file__).parent / "page"
KINDS = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
KEPT_BY_BROWSERS = "private, max-age=86400, immutable"
"""Pictures' addresses name the release and the mask that is drawn on them."""
MOST_POINTS = 1000
"""Clicks on a mask, or corners of a drawn one."""


class Refused(SamrsError):
    """A request that the page does not make."""


def application(desk: Desk, beside: Beside | None, changed: Callable[[], Any]) -> Starlette:
    """The application, to be guarded (``guard.py``).

    Args:
        desk: of the release.
        beside: other masks, if any.
        changed: called after each change, once it is on the disk.
    """
    serve = Server(desk, beside, changed)
    files = {f"/{f.name}": f for f in sorted(PAGE.iterdir()) if f.suffix in KINDS}
    files["/"] = files.pop("/index.html")
    got: dict[str, Callable[[Request], Response]] = {
        "/api/release": serve.release,
        "/api/wall": serve.wall,
        "/api/order": serve.order,
        "/api/marks": serve.marks,
        "/api/mask/{number:int}": serve.mask,
        "/api/neighbours/{number:int}": serve.neighbours,
        "/api/estimates": serve.estimates,
        "/picture/{number:int}/{shapes:int}/{key}": serve.picture,
        "/large/{number:int}/{key}": serve.large,
        "/whole/{number:int}/{key}": serve.whole,
        **{address: partial(_file, file.read_bytes(), KINDS[file.suffix])
           for address, file in files.items()},
    }  # fmt: skip
    routes = [Route(at, _answering(work), methods=["GET"]) for at, work in got.items()]
    routes.append(Route("/api/change", _posting(serve.change), methods=["POST"]))
    return Starlette(routes=routes)


def _answering(work: Callable[[Request], Response]) -> Any:
    async def answer(request: Request) -> Response:
        if await request.is_disconnected():  # scrolled past
            return Response(status_code=499)
        return await run_in_threadpool(_told, work, request)

    return answer


def _posting(work: Callable[[bytes], Response]) -> Any:
    async def answer(request: Request) -> Response:
        try:
            body = await request.body()
        except ClientDisconnect:
            return Response(status_code=499)
        return await run_in_threadpool(_told, work, body)

    return answer


def _told(work: Callable[[Any], Response], given: Any) -> Response:
    """An answer; an error meant for the user as its sentence."""
    try:
        return work(given)
    except ChangedError as error:
        return _json({"error": str(error), "number": error.number}, 409)
    except SamrsError as error:
        return _json({"error": str(error)}, 400)
    except OSError as error:  # a full disk: the verdict is not there, and the page must say so
        log.error("review: %s", error)
        return _json({"error": f"not written: {error}"}, 500)


def _file(data: bytes, kind: str, _: Request) -> Response:
    return Response(data, media_type=kind)


def _json(value: Any, status: int = 200) -> Response:
    return Response(json_text(value, spaces=False), status, media_type="application/json")


class Server:
    """What is asked for and what is answered.

    Args:
        desk: of the release.
        beside: other masks, if any.
        changed: called after each change.
    """

    def __init__(self, desk: Desk, beside: Beside | None, changed: Callable[[], Any]) -> None:
        self.desk, self.index = desk, desk.index
        self._beside, self._changed = beside, changed

    def release(self, request: Request) -> Response:
        """What the page shows before any mask."""
        return _json(release_told(self.desk, self._beside))

    def wall(self, request: Request) -> Response:
        """For each mask, one column after the other: quality as float32, class as uint16."""
        columns = (self.index.quality.astype("<f4"), self.index.category.astype("<u2"))
        return _bytes(b"".join(column.tobytes() for column in columns))

    def order(self, request: Request) -> Response:
        """Numbers of the masks that pass the filters of the query, in its order, as uint32."""
        asked = request.query_params
        sort = asked.get("sort", "quality")
        drawn = sort == "sample" and self.desk.sample is not None
        wanted = Wanted(
            category=asked.get("category", ""),
            split=asked.get("split", ""),
            recipe=asked.get("recipe", ""),
            scene=asked.get("scene", ""),
            quality=(_float(asked.get("q0"), 0.0), _float(asked.get("q1"), 1.0)),
            size=(_float(asked.get("s0"), 0.0), _float(asked.get("s1"), math.inf)),
            sort=STORED if drawn else sort,
            down=asked.get("down") == "1",
        )
        found = self.index.order(wanted, self.desk.among(asked.get("state", "")))
        if self.desk.mender is not None:
            self.desk.mender.warm()
        if drawn and self.desk.sample is not None:
            rank = {number: place for place, number in enumerate(self.desk.sample.numbers)}
            found = np.array(sorted(found.tolist(), key=rank.__getitem__), np.uint32)
        return _bytes(found.astype("<u4").tobytes())

    def marks(self, request: Request) -> Response:
        """What people said, where it is not what the page knows."""
        marks = self.desk.marks()
        if request.query_params.get("known") == marks.stamp:
            return _json({"stamp": marks.stamp})
        return _json(marks_told(marks))

    def mask(self, request: Request) -> Response:
        """Everything of one mask; its tile is encoded meanwhile."""
        number = self._number(request)
        told = mask_told(self.desk, self._beside, number)
        if self.desk.mender is not None:
            self.desk.mender.prepare(int(self.index.place[number]))
        return _json(told)

    def neighbours(self, request: Request) -> Response:
        """The other masks of the tile."""
        return _json(neighbours_told(self.desk, self._number(request)))

    def estimates(self, request: Request) -> Response:
        """What the sample says so far."""
        return _json(estimates(self.desk) if self.desk.sample is not None else None)

    def picture(self, request: Request) -> Response:
        """A picture of the wall."""
        number = self._number(request)
        changed = number in self.desk.marks().masks
        rle = self.desk.held(number).rle if changed else None
        shapes = bool(request.path_params["shapes"])
        return _picture(self.desk.pictures.on_wall(number, rle, shapes=shapes), "jpeg")

    def large(self, request: Request) -> Response:
        """A mask's surroundings px by px."""
        return _picture(self.desk.pictures.large(self._number(request)), "png")

    def whole(self, request: Request) -> Response:
        """The whole tile."""
        return _picture(self.desk.pictures.whole(self._number(request)), "jpeg")

    def _number(self, request: Request) -> int:
        number = int(request.path_params["number"])
        self.index.instance_id(number)
        return number

    def change(self, body: bytes) -> Response:
        """Do what a window asks; what it sees next is on the disk by then.

        Args:
            body: JSON: what to do, to which mask, what the window last saw of it.
        """
        asked = _object(body)
        window, desk = _text(asked, "window"), self.desk
        if asked.get("do") == "undo":
            found = desk.undo(window)
            if found is None:
                return _json({"number": None})
            number = found
        else:
            number = _integer(asked, "number")
            known = (number, window, _text(asked, "seen"))
            match asked.get("do"):
                case "judge":
                    desk.judge(*known, _text(asked, "verdict"), _text(asked, "reason"))
                case "click":
                    desk.click(
                        *known, _points(asked, "positive"), _points(asked, "negative"), _box(asked)
                    )
                case "draw":
                    desk.draw(*known, [_points({"polygon": p}, "polygon") for p in _list(asked)])
                case "restore":
                    desk.restore(*known)
                case "reclass":
                    desk.reclass(*known, _text(asked, "category"))
                case other:
                    raise Refused(
                        f"review: unknown change, got {str(other)[:40]!r}; judge, click, draw, "
                        "restore, reclass and undo are allowed; load the page again"
                    )
        self._changed()
        held, marks = desk.held(number), desk.marks()
        mark = [number, int(marks.verdict[number]), int(marks.changed[number]),
                marks.masks.get(number, "")]  # fmt: skip
        return _json({"number": number, "mark": mark, "state": state_told(desk, held),
                      "mask": path(held.rle)})  # fmt: skip


def _bytes(data: bytes) -> Response:
    return Response(data, media_type="application/octet-stream")


def _picture(data: bytes, kind: str) -> Response:
    headers = {"Cache-Control": KEPT_BY_BROWSERS}
    return Response(data, media_type=f"image/{kind}", headers=headers)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _odd("body", "no JSON object")
    return found


def _odd(name: str, got: Any) -> Refused:
    return Refused(
        f"review: {name} is not what the page sends, got {str(got)[:80]!r}; what the page sends is "
        "allowed; load it again"
    )


def _text(asked: dict[str, Any], name: str) -> str:
    value = asked.get(name, "")
    if not isinstance(value, str) or len(value) > 1000 or any(ord(c) < 32 for c in value):
        raise _odd(name, value)
    return value


def _integer(asked: dict[str, Any], name: str) -> int:
    value = asked.get(name)
    if type(value) is not int:
        raise _odd(name, value)
    return value


def _float(text: str | None, otherwise: float) -> float:
    if text is None or text == "":
        return otherwise
    try:
        value = float(text)
    except ValueError:
        raise _odd("number", text) from None
    if math.isnan(value):
        raise _odd("number", text)
    return value


def _floats(value: Any, count: int) -> bool:
    plain = isinstance(value, list) and len(value) == count
    return plain and all(type(v) in (int, float) and abs(v) < 1e6 for v in value)


def _points(asked: dict[str, Any], name: str) -> list[tuple[float, float]]:
    value = asked.get(name)
    if not isinstance(value, list) or len(value) > MOST_POINTS:
        raise _odd(name, value)
    if not all(_floats(point, 2) for point in value):
        raise _odd(name, value)
    if name == "polygon" and len(value) < 3:
        raise ParameterError(
            f"review: no area, got {len(value)} corners; 3 or more are allowed; draw on"
        )
    return [(float(x), float(y)) for x, y in value]


def _list(asked: dict[str, Any]) -> list[Any]:
    value = asked.get("polygons")
    if not isinstance(value, list) or not 1 <= len(value) <= 100:
        raise _odd("polygons", value)
    return value


def _box(asked: dict[str, Any]) -> tuple[float, float, float, float] | None:
    value = asked.get("box")
    if value is None:
        return None
    if not _floats(value, 4) or not (value[0] < value[2] and value[1] < value[3]):
        raise _odd("box", value)
    x0, y0, x1, y1 = (float(v) for v in value)
    return x0, y0, x1, y1
