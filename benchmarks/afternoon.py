"""An afternoon at the wall, by a script in the place of a person.

    python -m benchmarks.afternoon data/release/sota --masks 100

Starts ``samrs review``, takes the masks of the lowest estimated quality one after the other and
asks what the page asks: a mask below 0.4 is rejected, one below 0.55 mended by a click in the
middle of its box (and rejected where nothing is seen there), the others accepted. A person would
look; what follows is the same: the corrections lie on the disk, ``dvc repro`` applies them.

Prints what was done, and the medians of what changes took, ms.
"""

from __future__ import annotations

import argparse
import http.cookiejar
import json
import re
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

import numpy as np


class Page:
    """Asks a review what its page asks.

    Args:
        address: the first one.
    """

    def __init__(self, address: str) -> None:
        self.origin = address.partition("/?")[0]
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(cookies)
        self._opener.open(address).close()

    def get(self, path: str) -> bytes:
        """What stands at a path."""
        with self._opener.open(self.origin + path) as answer:
            data: bytes = answer.read()
        return data

    def change(self, **what: Any) -> dict[str, Any] | None:
        """Ask for a change; None where it was refused."""
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.origin}/api/change",
            json.dumps({"window": "afternoon", **what}).encode(),
            {"Content-Type": "application/json", "Origin": self.origin},
        )
        try:
            with self._opener.open(request) as answer:
                told: dict[str, Any] = json.loads(answer.read())
        except urllib.error.HTTPError:
            return None
        return told


def judge(page: Page, number: int, took: dict[str, list[float]]) -> str:
    """What is done with one mask, in a word; times are added to ``took``."""
    mask = json.loads(page.get(f"/api/mask/{number}"))
    quality = dict(mask["scores"]).get("quality", 0.0)
    known = {"number": number, "seen": mask["state"]["seen"]}

    def timed(kind: str, **what: Any) -> dict[str, Any] | None:
        begin = time.perf_counter()
        told = page.change(do=kind, **known, **what)
        took.setdefault(kind, []).append(1000 * (time.perf_counter() - begin))
        return told

    if quality >= 0.55:
        timed("judge", verdict="accept", reason="")
        return "accepted"
    if quality >= 0.4:
        x0, y0, x1, y1 = mask["hbb"]
        middle = [[round((x0 + x1) / 2, 1), round((y0 + y1) / 2, 1)]]
        told = timed("click", positive=middle, negative=[], box=mask["hbb"])
        if told is not None:
            known["seen"] = told["state"]["seen"]
            timed("judge", verdict="accept", reason="")
            return "mended"
    timed("judge", verdict="reject", reason="by a script")
    return "rejected"


def main() -> None:
    """Judge, and print what was done."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("release")
    parser.add_argument("--masks", type=int, default=100)
    given = parser.parse_args()
    command = [sys.executable, "-m", "samrs", "review", given.release]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as review:
        assert review.stdout is not None
        found = next(filter(None, (re.search(r"http://\S+", line) for line in review.stdout)))
        page = Page(found[0])
        order = np.frombuffer(page.get("/api/order?sort=quality"), "<u4")[: given.masks]
        took: dict[str, list[float]] = {}
        done = [judge(page, int(number), took) for number in order]
        review.terminate()
    print(json.dumps({word: done.count(word) for word in sorted(set(done))}))
    print(json.dumps({f"{k}_ms": round(statistics.median(v), 1) for k, v in took.items()}))


if __name__ == "__main__":
    main()
