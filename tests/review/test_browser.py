"""A person at the page, in a real Chromium."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from samrs.corrections.read import read_corrections
from samrs.corrections.records import Added, ClassChange, Clicks, Drawn, Verdict
from tests.browser import chromium as chromium
from tests.browser import serious, until
from tests.review.releases import HOSTILE, Running, running, write_release

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_release(tmp_path / "release" / "hand")
    return tmp_path


@pytest.fixture
def review(place: Path) -> Iterator[Running]:
    with running(place / "release" / "hand") as started:
        yield started


class Window:
    """A window of the browser.

    Args:
        chromium: the browser.
        review: whose page it shows.
        width: of the window, px.
    """

    def __init__(
        self, chromium: Any, review: Running, width: int = 1280, address: str = ""
    ) -> None:
        self.page = chromium.new_page(viewport={"width": width, "height": 800})
        self.page.set_default_timeout(60_000)
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address or review.address)
        self.until("document.querySelector('.card')")

    def until(self, holds: str) -> None:
        until(lambda: self.page.evaluate(f"() => Boolean({holds})"))

    def says(self, css: str, text: str) -> None:
        until(lambda: text in self.page.inner_text(css))

    def keys(self, *names: str) -> None:
        for name in names:
            self.page.keyboard.press(name)

    def open(self) -> None:
        self.page.keyboard.press("Enter")
        self.until("document.getElementById('view').open")
        self.until("document.getElementById('large').getAttribute('href')")

    def judged(self, count: int) -> None:
        self.says("#progress", f"{count} of ")

    def middle(self) -> tuple[float, float]:
        box = self.page.locator("#stage").bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def names(self) -> list[str]:
        return list(self.page.evaluate(
            "() => [...document.querySelectorAll('.card:not([hidden])')]"
            ".sort((a, b) => a.dataset.place - b.dataset.place)"
            ".map((c) => c.querySelector('.what').textContent)"
        ))  # fmt: skip


def test_an_afternoon_at_the_wall(chromium: Any, review: Running, place: Path) -> None:
    """Wall, filter, keys, clicks, undo, drawing, classes, in one review."""
    window, folder = Window(chromium, review), place / "corrections" / "dota"
    page = window.page
    window.says("#count", "36 masks")
    window.until(
        "[...document.images].filter((i) => i.src).every((i) => i.complete && i.naturalWidth)"
    )
    # names are text
    assert HOSTILE in window.names()
    assert page.title() == "Review: SOTA"

    page.select_option("#category", "disc")
    window.says("#count", "18 of 36 masks")
    assert set(window.names()) == {"disc"}
    page.select_option("#sort", "size")
    page.fill("#s0", "30")
    window.says("#count", "9 of 36")
    assert "category=disc" in page.url
    page.click("#reset")
    until(lambda: page.inner_text("#count") == "36 masks")

    # on the wall: keys alone
    page.locator(".card[data-place='0'] button").focus()
    window.keys("x")
    window.judged(1)
    window.keys("ArrowRight", "a")
    window.judged(2)
    verdicts = [v.verdict for v in read_corrections(folder).of(Verdict)]
    assert sorted(verdicts) == ["accept", "reject"]
    window.keys("u")
    window.judged(1)

    # one large: a click mends it
    window.open()
    before = page.get_attribute("#mask", "d")
    page.mouse.click(*window.middle())
    window.says("#hint", "mask in")
    window.says("#said", "mask clicked")
    (clicks,) = read_corrections(folder).of(Clicks)
    assert len(clicks.positive) == 1
    assert clicks.negative == ()
    assert page.get_attribute("#mask", "d") != before
    x, y = window.middle()
    page.mouse.click(x + 150, y + 100, button="right")
    until(lambda: len(read_corrections(folder).of(Clicks)[0].negative) == 1)
    window.until("!document.getElementById('stage').classList.contains('busy')")
    window.keys("u")
    until(lambda: read_corrections(folder).of(Clicks)[0].negative == ())
    window.says("#hint", "Undone")

    # by hand
    window.keys("r")
    for dx, dy in ((-40, -40), (40, -40), (40, 40), (-40, 40)):
        page.mouse.click(x + dx, y + dy)
    window.keys("Enter")
    window.says("#said", "mask drawn")
    assert len(read_corrections(folder).of(Drawn)) == 1
    assert read_corrections(folder).of(Clicks) == []
    page.select_option("#class", "disc")
    until(lambda: len(read_corrections(folder).of(ClassChange)) == 1)
    window.says("#facts", "released as")
    page.fill("#reason", "only a part")
    window.keys("Enter", "a")
    until(lambda: "only a part" in [v.reason for v in read_corrections(folder).of(Verdict)])

    # zoom, whole tile, neighbours
    view = page.get_attribute("#stage", "viewBox")
    page.mouse.move(*window.middle())
    page.mouse.wheel(0, -240)
    until(lambda: page.get_attribute("#stage", "viewBox") != view)
    window.keys("k", "t")
    window.until("document.querySelectorAll('.neighbour').length === 11")
    window.until("document.getElementById('whole').getAttribute('href')")
    window.keys("m", "b")
    assert "no-mask no-box" in page.get_attribute("#stage", "class")
    window.keys("Escape")
    window.until("!document.getElementById('view').open")
    assert window.wrong == []
    assert {url.rpartition(":")[0] for url in window.asked if "//" in url} >= {"http://127.0.0.1"}
    assert all(url.startswith(review.origin) for url in window.asked)


def test_two_windows_do_not_overwrite_each_other(chromium: Any, review: Running) -> None:
    one, two = Window(chromium, review), Window(chromium, review)
    for window in (one, two):
        window.open()
    one.keys("x")
    one.judged(1)
    two.keys("a")
    two.says("#toast", "was changed elsewhere")
    two.says("#said", "Rejected")
    two.keys("a")
    two.judged(1)
    assert two.wrong == one.wrong == []


def test_the_wall_does_not_overwrite_what_it_does_not_show(
    chromium: Any, review: Running, place: Path
) -> None:
    """Another window judged a moment ago, and this one has not heard of it."""
    one, two = Window(chromium, review), Window(chromium, review)
    two.page.route("**/api/marks*", lambda route: route.abort())
    one.keys("x")
    one.judged(1)
    two.keys("a")
    two.says("#toast", "was changed elsewhere")
    assert [v.verdict for v in read_corrections(place / "corrections" / "dota").of(Verdict)] == [
        "reject"
    ]
    two.until("document.querySelector('.card.reject')")
    two.keys("a")
    two.until("document.querySelector('.card.accept')")
    # what the other window says before a change of this one is heard of afterwards
    two.page.unroute("**/api/marks*")
    one.until("document.querySelector('.card.accept')")
    two.keys("a")
    one.keys("ArrowRight", "x")
    for window in (one, two):
        window.judged(3)
        assert window.wrong == []


def test_escape_leaves_what_was_begun_before_the_view(chromium: Any, review: Running) -> None:
    window = Window(chromium, review)
    page = window.page
    window.open()
    shown = "document.getElementById('view').open"

    def stays(*keys: str) -> None:
        window.keys(*keys)
        window.keys("Escape")
        assert page.evaluate(f"() => {shown}"), keys

    stays("r")
    assert page.get_attribute("#redraw", "aria-pressed") == "false"
    stays("i")
    assert page.get_attribute("#fresh", "aria-pressed") == "false"
    stays("e", "x", "y")
    assert page.input_value("#reason") == "xy"
    stays("?")
    assert not page.evaluate("() => document.getElementById('help').open")
    # the view is left while an answer is on its way: it is kept, and nothing is opened again
    held: list[Any] = []
    page.route("**/api/change", lambda route: held.append(route))
    window.keys("x")
    until(lambda: bool(held))
    window.keys("Escape")
    window.until(f"!{shown}")
    held[0].continue_()
    window.judged(1)
    page.unroute("**/api/change")
    assert not page.evaluate(f"() => {shown}")
    assert page.inner_text("#toast") == ""
    assert window.wrong == []


def test_a_person_adds_what_nobody_annotated(chromium: Any, review: Running, place: Path) -> None:
    """By a box and by a click; the release has it, made by clicks."""
    window, folder = Window(chromium, review), place / "corrections" / "dota"
    page = window.page
    page.select_option("#sort", "stored")
    window.until("location.hash.includes('stored')")
    page.locator(".card[data-place='0'] button").focus()
    window.open()
    window.keys("t", "i")
    stage = page.locator("#stage").bounding_box()
    view = [float(v) for v in page.get_attribute("#stage", "viewBox").split()]

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            stage["x"] + (x - view[0]) / view[2] * stage["width"],
            stage["y"] + (y - view[1]) / view[3] * stage["height"],
        )

    page.mouse.move(*at(8, 22))
    page.mouse.down()
    page.mouse.move(*at(40, 40), steps=3)
    page.mouse.move(*at(56, 62), steps=3)
    page.mouse.up()
    window.until("document.getElementById('fresh-mask').getAttribute('d')")
    window.says("#hint", "Choose its class")
    proposed = page.get_attribute("#fresh-mask", "d")
    window.keys("Enter")
    assert read_corrections(folder).of(Added) == []
    page.select_option("#fresh-class", "square")
    window.keys("Enter")
    window.says("#added-list", "Added: square")
    (record,), (clicks,) = read_corrections(folder).of(Added), read_corrections(folder).of(Clicks)
    assert record.category == "square"
    assert record.anchor.annotated == pytest.approx((8, 22, 56, 62), abs=1)
    assert clicks.box == record.anchor.annotated
    assert page.get_attribute("#added path", "d") == proposed
    assert page.locator("#fresh-form").is_hidden()

    window.keys("i")
    page.mouse.click(*at(224, 128))
    window.until("document.getElementById('fresh-mask').getAttribute('d')")
    page.mouse.click(*at(250, 250), button="right")
    until(lambda: page.locator("#points .negative").count() == 1)
    page.click("#fresh-keep")
    until(lambda: len(read_corrections(folder).of(Added)) == 2)
    window.until("document.querySelectorAll('#added path').length === 2")
    window.keys("u")
    window.until("document.querySelectorAll('#added path').length === 1")
    window.keys("n")  # the other masks of the tile show it, too
    page.locator("#added-list button").first.wait_for()
    page.click("#added-list button")
    window.until("!document.querySelector('#added path')")
    assert len(read_corrections(folder)) == 0
    assert window.wrong == []


def test_a_killed_review_is_opened_again(chromium: Any, place: Path) -> None:
    release = place / "release" / "hand"
    with running(release) as review:
        window = Window(chromium, review)
        window.open()
        window.keys("x")
        window.judged(1)
        review.end(signal.SIGKILL)
        window.keys("a")
        window.says("#toast", "is not running")
    with running(release) as again:
        window = Window(chromium, again)
        window.judged(1)
        window.until("document.querySelector('.card.reject')")
        assert window.page.locator(".card.accept").count() == 0
    assert len(read_corrections(place / "corrections" / "dota").of(Verdict)) == 1


def test_it_fits_a_phone(chromium: Any, review: Running, tmp_path: Path) -> None:
    window = Window(chromium, review, width=390)
    page = window.page
    for shown in ("wall", "view"):
        wide = page.evaluate("() => document.documentElement.scrollWidth")
        assert wide <= 390, shown
        if shown == "wall":
            page.locator(".card button").first.click()
            window.until("document.getElementById('view').open")
    for id_ in ("accept", "reject", "undo", "next"):
        box = page.locator(f"#{id_}").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert box["height"] >= 30
    page.screenshot(path=tmp_path / "phone.png")
    page.click("#accept")
    window.judged(1)
    assert window.wrong == []


def test_nothing_serious_bars_people_from_the_page(chromium: Any, review: Running) -> None:
    context = chromium.new_context(bypass_csp=True, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(review.address)
    until(lambda: page.locator(".card").count() > 3)
    for shown in ("wall", "view", "help"):
        if shown == "view":
            page.keyboard.press("Enter")
            until(lambda: page.evaluate("() => document.getElementById('view').open"))
        if shown == "help":
            page.keyboard.press("?")
        assert serious(page) == [], shown
    context.close()


def test_a_wall_of_thousands_has_few_cards(chromium: Any, review: Running) -> None:
    """The server's order is stretched in the page: 500,000 places, two screens of cards."""
    window = Window(chromium, review)
    page = window.page
    page.route(
        "**/api/order*",
        lambda route: route.fulfill(
            body=bytes(4 * 500_000), content_type="application/octet-stream"
        ),
    )
    page.click("#reset")
    window.says("#count", "500,000 of 36 masks")
    most = 0
    for top in (0, 10_000, 5_000_000, 8_000_000):
        page.evaluate(f"() => {{ document.getElementById('wall').scrollTop = {top}; }}")
        time.sleep(0.2)
        window.until("[...document.querySelectorAll('.card:not([hidden])')].length > 20")
        most = max(most, page.locator(".card").count())
    assert most < 120
