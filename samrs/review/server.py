"""The server of a review: pictures and masks for the page, and what people say of them.

Everything is asked for by number; no path, id or name from outside reaches the disk. The page's own
files are read when the server starts. Requests are answered by threads, so that a tile that is
encoded keeps nobody else waiting.
"""

from __future__ import annotations

import logging
import math
import re
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

from samrs.core.errors import SamrsError
from samrs.core.shards import json_text
from samrs.corrections.records import mask_digest
from samrs.review.asked import (
    Refused,
    integer,
    number_or,
    object_of,
    odd,
    points,
    polygons,
    question,
    text,
)
from samrs.review.beside import Beside
from samrs.review.desk import ChangedError, Desk
from samrs.review.estimates import estimates
from samrs.review.index import STORED, Wanted
from samrs.review.told import (
    added_told,
    mark_told,
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
MOST_AHEAD = 4
"""Masks that a page says may be opened next."""


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
        "/api/state/{number:int}": serve.state,
        "/api/ahead": serve.ahead,
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
    routes.append(Route("/api/propose", _posting(serve.propose), methods=["POST"]))
    return Starlette(routes=routes)


def _answering(work: Callable[[Request], Response]) -> Any:
    async def answer(request: Request) -> Response:
        if await request.is_disconnected():  # scrolled past
            return Response(status_code=499)
        return await run_in_threadpool(_told, work, request, "read")

    return answer


def _posting(work: Callable[[bytes], Response]) -> Any:
    async def answer(request: Request) -> Response:
        try:
            body = await request.body()
        except ClientDisconnect:
            return Response(status_code=499)
        return await run_in_threadpool(_told, work, body, "written")

    return answer


def _told(work: Callable[[Any], Response], given: Any, done: str) -> Response:
    """An answer; an error meant for the user as its sentence.

    Args:
        given: a request, or its body.
        done: what a disk that fails keeps from being done.
    """
    try:
        return work(given)
    except ChangedError as error:
        return _json({"error": str(error), "number": error.number}, 409)
    except SamrsError as error:
        return _json({"error": str(error)}, 400)
    except OSError as error:  # a full disk: what was said is not there, and the page must say so
        log.error("review: %s", error)
        return _json({"error": f"not {done}: {error}"}, 500)


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
            quality=(number_or(asked.get("q0"), 0.0), number_or(asked.get("q1"), 1.0)),
            size=(number_or(asked.get("s0"), 0.0), number_or(asked.get("s1"), math.inf)),
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
        if self.desk.mender is not None:
            self.desk.mender.prepare(int(self.index.place[number]))
        return _json(mask_told(self.desk, self._beside, number))

    def state(self, request: Request) -> Response:
        """What people said of one mask."""
        number = self._number(request)
        state = state_told(self.desk, self.desk.held(number))
        return _json({"state": state, "mark": mark_told(self.desk, number)})

    def ahead(self, request: Request) -> Response:
        """Encode the tiles of masks that may be opened next, while nobody waits for pictures."""
        asked = request.query_params.get("masks", "").split(",")
        if len(asked) > MOST_AHEAD or not all(re.fullmatch("[0-9]{1,9}", word) for word in asked):
            raise odd("masks", asked)
        numbers = [int(word) for word in asked if self.index.instance_id(int(word))]
        if self.desk.mender is not None:
            self.desk.mender.ahead([int(self.index.place[number]) for number in numbers])
        return _json({})

    def neighbours(self, request: Request) -> Response:
        """The other masks of the tile."""
        return _json(neighbours_told(self.desk, self._number(request)))

    def estimates(self, request: Request) -> Response:
        """What the sample says so far."""
        return _json(estimates(self.desk) if self.desk.sample is not None else None)

    def picture(self, request: Request) -> Response:
        """A picture of the wall."""
        number = self._number(request)
        rle, mended = None, ""
        if number in self.desk.marks().masks:
            rle = self.desk.held(number).rle
            mended = mask_digest(rle)
        shapes = bool(request.path_params["shapes"])
        data = self._drawn(partial(self.desk.pictures.on_wall, number, rle, shapes=shapes))
        return self._picture(request, data, "jpeg", mended)

    def large(self, request: Request) -> Response:
        """A mask's surroundings px by px."""
        number = self._number(request)
        return self._picture(request, self._drawn(partial(self.desk.pictures.large, number)), "png")

    def whole(self, request: Request) -> Response:
        """The whole tile."""
        number = self._number(request)
        data = self._drawn(partial(self.desk.pictures.whole, number))
        return self._picture(request, data, "jpeg")

    def _drawn(self, draw: Callable[[], bytes]) -> bytes:
        if self.desk.mender is None:
            return draw()
        with self.desk.mender.busy():
            return draw()

    def _picture(self, request: Request, data: bytes, kind: str, mended: str = "") -> Response:
        """A picture, which browsers keep where its address tells all that decides it: the release,
        this process, and on the wall the mask that was mended."""
        key = f"{self.desk.build}-{mended}" if mended else self.desk.build
        same = request.path_params["key"] == key
        headers = {"Cache-Control": KEPT_BY_BROWSERS if same else "no-store"}
        return Response(data, media_type=f"image/{kind}", headers=headers)

    def _number(self, request: Request) -> int:
        number = int(request.path_params["number"])
        self.index.instance_id(number)
        return number

    def change(self, body: bytes) -> Response:
        """Do what a window asks; what it sees next is on the disk by then.

        Args:
            body: JSON: what to do, to which mask, what the window last saw of it.
        """
        asked = object_of(body)
        window, desk = text(asked, "window"), self.desk
        if asked.get("do") == "undo":
            found = desk.undo(window)
            if found is None:
                return _json({"number": None})
            number = found
        else:
            number = integer(asked, "number")
            known = (number, window, text(asked, "seen"))
            match asked.get("do"):
                case "judge":
                    desk.judge(*known, text(asked, "verdict"), text(asked, "reason"))
                case "click":
                    desk.click(*known, *question(asked))
                case "draw":
                    desk.draw(*known, [points({"polygon": p}, "polygon") for p in polygons(asked)])
                case "restore":
                    desk.restore(*known)
                case "add":
                    desk.add(number, window, text(asked, "category"), *question(asked))
                case "remove":
                    desk.remove(*known)
                case "reclass":
                    desk.reclass(*known, text(asked, "category"))
                case other:
                    raise Refused(
                        f"review: unknown change, got {str(other)[:40]!r}; judge, click, draw, "
                        "restore, reclass, add, remove and undo are allowed; load the page again"
                    )
        held = desk.held(number)
        return _json({
            "number": number,
            "mark": mark_told(desk, number),
            "state": state_told(desk, held),
            "mask": path(held.rle),
            "added": added_told(desk, number),
            "warning": self._estimated(),
        })  # fmt: skip

    def _estimated(self) -> str:
        """Have the sample's estimates written; says why they were not: the change is kept."""
        try:
            self._changed()
        except (OSError, SamrsError) as error:
            log.error("review: %s", error)
            return f"Kept, but what the sample says was not written: {error}"
        return ""

    def propose(self, body: bytes) -> Response:
        """The mask that a new object would have; nothing is kept.

        Args:
            body: JSON: points and a box, and a mask in whose tile they lie.
        """
        asked = object_of(body)
        answer = self.desk.answer(integer(asked, "number"), *question(asked))
        return _json({"mask": path(answer.rle)})


def _bytes(data: bytes) -> Response:
    return Response(data, media_type="application/octet-stream")
