"""Who is let in, and what nobody gets: hosts, origins, tokens, paths, bodies."""

from __future__ import annotations

import http.client
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from samrs.core.images import decode_rgb
from samrs.corrections.read import read_corrections
from tests.commands.calls import call, refused
from tests.review.releases import HOSTILE, Running, qualities, running, write_release


class Browser:
    """Asks a review as a browser would, or would not.

    Args:
        review: whom.
    """

    def __init__(self, review: Running) -> None:
        self.host = review.origin.removeprefix("http://")
        self.token = review.address.rpartition("=")[2]
        answer = self.ask("GET", f"/?token={self.token}", cookie="")
        assert answer[0] == 303
        self.cookie = answer[1]["set-cookie"].partition(";")[0]

    def ask(
        self, method: str, path: str, body: Any = None, *, cookie: str | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        given = {"Host": self.host, "Cookie": self.cookie if cookie is None else cookie}
        if body is not None:
            given |= {"Content-Type": "application/json", "Origin": f"http://{self.host}"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.request(method, path, data, {k: v for k, v in given.items() if v})
        answer = connection.getresponse()
        found = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        connection.close()
        return found

    def get(self, path: str) -> Any:
        status, _, data = self.ask("GET", path)
        assert status == 200, data
        return json.loads(data)

    def change(self, number: int, do: str, **what: Any) -> tuple[int, Any]:
        seen = what.pop("seen", None) or self.get(f"/api/mask/{number}")["state"]["seen"]
        asked = {"window": "w", "number": number, "do": do, "seen": seen, **what}
        status, _, data = self.ask("POST", "/api/change", asked)
        return status, json.loads(data)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    write_release(folder / "release" / "hand")
    return folder


@pytest.fixture(scope="module")
def browser(place: Path) -> Iterator[Browser]:
    with running(place / "release" / "hand") as review:
        yield Browser(review)


def test_the_address_is_of_loopback_and_lets_in_by_a_cookie(browser: Browser) -> None:
    assert browser.host.startswith("127.0.0.1:")
    _, headers, _ = browser.ask("GET", f"/?token={browser.token}", cookie="")
    assert headers["location"] == "/"
    assert "HttpOnly" in headers["set-cookie"]
    assert "SameSite=strict" in headers["set-cookie"]


@pytest.mark.parametrize("path", ["/", "/main.js", "/api/release", "/picture/0/1/x", "/large/0/x"])
def test_nobody_without_the_cookie_gets_anything(browser: Browser, path: str) -> None:
    for cookie in ("", "samrs-review=x", browser.cookie[:-1], browser.cookie + "x"):
        assert browser.ask("GET", path, cookie=cookie)[0] == 403
    assert browser.ask("GET", path)[0] == 200


def test_a_wrong_token_lets_nobody_in(browser: Browser) -> None:
    for token in ("", "x", browser.token[:-1], browser.token + "&token=x"):
        assert browser.ask("GET", f"/?token={token}", cookie="")[0] == 403
    assert browser.ask("GET", f"/main.js?token={browser.token}", cookie="")[0] == 403


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1", "127.0.0.1:1", "evil.test:{port}"])
def test_other_hosts_are_refused(browser: Browser, host: str) -> None:
    port = browser.host.rpartition(":")[2]
    assert browser.ask("GET", "/api/release", Host=host.format(port=port))[0] == 403


def test_other_origins_are_refused(browser: Browser) -> None:
    undo = {"window": "w", "do": "undo"}
    for origin in ("http://evil.test", "null", f"https://{browser.host}", ""):
        assert browser.ask("POST", "/api/change", undo, Origin=origin)[0] == 403
    assert browser.ask("GET", "/api/release", Origin="http://evil.test")[0] == 403
    assert browser.ask("POST", "/api/change", undo)[0] == 200


def test_forms_other_methods_and_large_bodies_are_refused(browser: Browser) -> None:
    undo = {"window": "w", "do": "undo"}
    assert browser.ask("POST", "/api/change", undo, Content_Type="text/plain")[0] == 415
    assert browser.ask("POST", "/api/change", b" " * (2**20 + 1))[0] == 413
    assert browser.ask("PUT", "/api/change", undo)[0] == 405


def test_the_page_runs_its_own_scripts_alone(browser: Browser) -> None:
    _, headers, page = browser.ask("GET", "/")
    assert "default-src 'none'; script-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert b"http://" not in page.replace(b"http://www.w3.org", b"")
    assert b"https://" not in page


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml", "/..%2f..%2fetc/passwd", "//etc/passwd", "/page/main.js",
        "/picture/..%2f..%2fetc%2fpasswd/1/x", "/large/-1/x", "/api/mask/a__0_0", "/review.py",
        "/%00", "/main.js%00.html",
    ],
)  # fmt: skip
def test_no_path_from_outside_reaches_the_disk(browser: Browser, path: str) -> None:
    assert browser.ask("GET", path)[0] in (400, 404)


def test_numbers_that_are_none_are_told(browser: Browser) -> None:
    for path in ("/api/mask/36", "/picture/99999999999999999999/1/x", "/whole/36/x"):
        status, _, data = browser.ask("GET", path)
        assert status == 400
        assert "no such mask" in json.loads(data)["error"]


def test_names_of_classes_are_data(browser: Browser) -> None:
    told = browser.get("/api/release")
    assert told["categories"] == ["disc", "square", HOSTILE]
    status, headers, _ = browser.ask("GET", "/api/release")
    assert (status, headers["content-type"]) == (200, "application/json")


def test_orders_and_columns_are_bytes(browser: Browser) -> None:
    _, _, data = browser.ask("GET", "/api/order?sort=quality&category=disc")
    order = np.frombuffer(data, "<u4")
    assert len(order) == 18
    assert (np.diff(np.array(qualities())[order]) > 0).all()
    _, _, columns = browser.ask("GET", "/api/wall")
    assert np.frombuffer(columns, "<f4", 36) == pytest.approx(qualities())
    status, _, data = browser.ask("GET", "/api/order?q0=nan")
    assert status == 400


def test_pictures_are_of_the_mask_with_its_surroundings(browser: Browser) -> None:
    _, headers, data = browser.ask("GET", "/picture/3/1/x")
    assert headers["content-type"] == "image/jpeg"
    bare = decode_rgb(browser.ask("GET", "/picture/3/0/x")[2], "bare").astype(int)
    drawn = decode_rgb(data, "drawn").astype(int)
    pink = (drawn[..., 0] - drawn[..., 1] > 120).mean()
    assert drawn.shape == bare.shape == (208, 208, 3)
    assert pink > 0.01
    assert (bare[..., 0] - bare[..., 1] > 120).mean() < 0.001
    width, height = browser.get("/api/mask/3")["part"][2:]
    large = decode_rgb(browser.ask("GET", "/large/3/x")[2], "large")
    assert large.shape == (height, width, 3)
    assert decode_rgb(browser.ask("GET", "/whole/3/x")[2], "whole").shape == (256, 256, 3)


def test_browsers_keep_pictures_under_what_decides_them(browser: Browser) -> None:
    """The release and its process, and on the wall the mask; under another name nothing is kept."""
    build = browser.get("/api/release")["build"]

    def kept(path: str) -> bool:
        return "immutable" in browser.ask("GET", path)[1]["cache-control"]

    assert all(kept(f"/{kind}/{build}") for kind in ("picture/6/1", "large/6", "whole/6"))
    assert not any(kept(f"/{kind}/{build}x") for kind in ("picture/6/1", "large/6", "whole/6"))
    before = browser.ask("GET", f"/picture/6/1/{build}")[2]
    corners = [[100, 100], [130, 100], [130, 130], [100, 130]]
    _, told = browser.change(6, "draw", polygons=[corners])
    digest = told["mark"][3]
    assert kept(f"/picture/6/1/{build}-{digest}")
    assert not kept(f"/picture/6/1/{build}")
    assert browser.ask("GET", f"/picture/6/1/{build}-{digest}")[2] != before
    browser.ask("POST", "/api/change", {"window": "w", "do": "undo"})
    assert kept(f"/picture/6/1/{build}")
    assert not kept(f"/picture/6/1/{build}-{digest}")


def test_a_new_object_is_proposed_added_and_taken_back(browser: Browser, place: Path) -> None:
    folder = place / "corrections" / "dota"
    how = {"positive": [[65, 42]], "negative": [], "box": None}
    asked = {**how, "number": 6}
    status, _, data = browser.ask("POST", "/api/propose", asked)
    assert (status, json.loads(data)["mask"][:1]) == (200, "M")
    assert len(read_corrections(folder)) == 0
    status, told = browser.change(6, "add", category="disc", **how)
    assert (status, [one["category"] for one in told["added"]]) == (200, ["disc"])
    assert told["added"][0]["mask"] == json.loads(data)["mask"]
    assert sorted(read_corrections(folder).counts().values()) == [0, 0, 0, 1, 1]
    assert browser.get("/api/mask/7")["added"] == told["added"]
    status, again = browser.change(7, "remove", seen=told["added"][0]["seen"])
    assert (status, again["added"]) == (200, [])
    assert len(read_corrections(folder)) == 0
    for odd in ({**asked, "positive": []}, {**asked, "number": 99}, {**asked, "box": [1, 2]}):
        assert browser.ask("POST", "/api/propose", odd)[0] == 400


def test_the_state_of_a_mask_and_what_may_be_opened_next(browser: Browser) -> None:
    told = browser.get("/api/state/5")
    assert (told["mark"], told["state"]["verdict"]) == ([5, 0, 0, ""], "")
    assert browser.get("/api/ahead?masks=1,2,3") == {}
    for masks in ("", "36", "-1", "1,2,3,4,5", "x", "1" * 30, "１"):
        assert browser.ask("GET", f"/api/ahead?masks={quote(masks)}")[0] == 400


def test_estimates_that_cannot_be_written_are_told_as_such(place: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    metrics, kept = tmp_path / "file" / "m.json", tmp_path / "kept"
    words = (place / "release" / "hand", "--corrections", kept, "--metrics", metrics,
             "--sample", "9")  # fmt: skip
    with running(*words) as review:
        asked = Browser(review)
        status, told = asked.change(4, "judge", verdict="accept", reason="")
    assert status == 200
    assert told["warning"].startswith("Kept, but what the sample says was not written: ")
    assert len(read_corrections(kept)) == 1


def test_a_change_is_on_the_disk_before_the_answer(browser: Browser, place: Path) -> None:
    folder = place / "corrections" / "dota"
    status, told = browser.change(5, "judge", verdict="reject", reason="too large")
    assert (status, told["state"]["verdict"], told["mark"][:3]) == (200, "reject", [5, 2, 0])
    assert len(read_corrections(folder)) == 1
    status, told = browser.change(5, "judge", verdict="accept", reason="", seen="of long ago")
    assert status == 409
    assert "was changed elsewhere" in told["error"]
    browser.ask("POST", "/api/change", {"window": "w", "do": "undo"})
    assert len(read_corrections(folder)) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b'{"do": "judge"}', b'{"do":"judge","number":"5","seen":"","window":"w"}',
        b'{"do":"judge","number":true,"seen":"","window":"w"}', b'{"do":"rm","number":5,"seen":""}',
        b'{"do":"draw","number":5,"seen":"","polygons":[[[1,2],[3,4],[NaN,1]]]}',
        b'{"do":"click","number":5,"seen":"","positive":[[1e99,2]],"negative":[]}',
        b'{"do":"click","number":5,"seen":"","positive":[],"negative":[],"box":[5,5,1,1]}',
        b'{"do":"judge","number":5,"seen":"","verdict":"reject","reason":"a\\nb"}',
        b"[" * 100_000, b'{"do":"judge","number":5,"seen":"","reason":"' + b"x" * 9999 + b'"}',
    ],
)  # fmt: skip
def test_odd_bodies_are_told_and_change_nothing(browser: Browser, place: Path, body: bytes) -> None:
    status, _, data = browser.ask("POST", "/api/change", body)
    assert status in (400, 409), data
    assert json.loads(data)["error"]
    assert len(read_corrections(place / "corrections" / "dota")) == 0


def test_what_was_said_outlives_a_kill(place: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with running(place / "release" / "hand", "--corrections", kept) as review:
        asked = Browser(review)
        for number, verdict in ((1, "accept"), (2, "reject"), (3, "absent")):
            assert asked.change(number, "judge", verdict=verdict, reason="")[0] == 200
        review.end(signal.SIGKILL)
    found = [v.verdict for v in read_corrections(kept).records.values()]
    assert sorted(found) == ["absent", "accept", "reject"]


def test_a_sample_is_judged_and_told(place: Path, tmp_path: Path) -> None:
    metrics, kept = tmp_path / "m.json", tmp_path / "kept"
    words = (place / "release" / "hand", "--corrections", kept, "--metrics", metrics,
             "--sample", "9", "--seed", "7")  # fmt: skip
    with running(*words) as review:
        asked = Browser(review)
        drawn = asked.get("/api/release")["sample"]
        assert len(drawn) == 9
        order = np.frombuffer(asked.ask("GET", "/api/order?sort=sample")[2], "<u4")
        assert order.tolist() == drawn
        for number in drawn:
            asked.change(number, "judge", verdict="accept", reason="")
        told = asked.get("/api/estimates")
        assert (told["judged"], told["share_good"]["value"]) == (9, 1.0)
        review.end()
    written = metrics.read_text(encoding="utf-8")
    assert json.loads(written)["seed"] == 7
    metrics.unlink()
    done = call("review", *words, "--estimate")
    assert done.stdout == f"{metrics}: 9 of 9 masks judged\n"
    assert metrics.read_text(encoding="utf-8") == written


def test_what_is_no_release_is_refused(tmp_path: Path) -> None:
    assert "no manifest" in refused(call("review", tmp_path))
