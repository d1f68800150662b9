"""A person at a report or a preview: the file itself, opened in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.browser import chromium as chromium
from tests.browser import serious, until
from tests.gallery.pages import FEW, HOSTILE, MANY, write_pages

pytestmark = pytest.mark.slow
PAGES = ("report", "preview")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_pages(tmp_path_factory.mktemp("pages"))


class Window:
    """A window of the browser with one of the pages.

    Args:
        chromium: the browser.
        path: the page.
        at: what stands behind # in its address.
        width: of the window, px.
        context: options of the window's context.
    """

    def __init__(
        self, chromium: Any, path: Path, at: str = "", width: int = 1400, **context: Any
    ) -> None:
        self.context = chromium.new_context(
            viewport={"width": width, "height": 844 if width < 800 else 900}, **context
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on(
            "console", lambda said: self.wrong.append(said.text) if said.type == "error" else None
        )
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri() + (f"#{quote(at)}" if at else ""))

    def cards(self, told: str = "instance") -> list[str]:
        """What is told of the cards on the wall, in their order."""
        return list(self.page.eval_on_selector_all(
            "#wall .card", f"cards => cards.map(card => card.dataset['{told}'] ?? '')"
        ))  # fmt: skip

    def names(self) -> list[str]:
        return [name.partition("#")[2] for name in self.cards()]

    def is_open(self) -> bool:
        return bool(self.page.evaluate("document.getElementById('view').open"))

    def fact(self, name: str) -> str:
        return str(self.page.inner_text(f"[data-fact={name}]"))

    def box(self) -> list[float]:
        return [float(v) for v in self.page.get_attribute("#stage", "viewBox").split()]

    def hash(self) -> str:
        return str(self.page.evaluate("decodeURIComponent(location.hash.slice(1))"))

    def fine(self) -> None:
        """Nothing went wrong and nothing was asked for but what lies in the file."""
        assert self.wrong == []
        assert {url.partition(":")[0] for url in self.asked} <= {"file", "data"}
        assert self.page.evaluate("document.querySelectorAll('img[onerror], b b').length") == 0
        assert self.page.title() != "fell"
        self.context.close()


@pytest.fixture
def open_(chromium: Any, pages: dict[str, Path]) -> Iterator[Any]:
    windows: list[Window] = []

    def opened(page: str, at: str = "", **context: Any) -> Window:
        windows.append(Window(chromium, pages[page], at, **context))
        return windows[-1]

    yield opened
    for window in windows:
        window.fine()


def test_a_wall_is_filtered_by_all_that_is_told(open_: Any) -> None:
    window = open_("preview")
    page = window.page
    assert window.names() == ["edge", "hole", "parts", "box"]
    wanted = {
        ("class", HOSTILE): ["parts"],
        ("class", "plane"): ["hole", "box"],
        ("split", "val"): ["edge"],
        ("recipe", "point"): ["parts"],
        ("made", "machine"): ["edge", "hole"],
        ("made", "clicked"): ["parts"],
        ("made", "drawn"): ["box"],
    }
    for (name, option), names in wanted.items():
        label = f"{option} ({len(names)})"
        page.select_option(f"[data-filter={name}]", label=label)
        assert window.names() == names, option
        assert page.inner_text("#count") == f"{len(names)} of 4 shown"
        page.click("#tools button[type=reset]")
        until(lambda: len(window.names()) == 4)
    for name, low, high, names in (
        ("quality", "0.25", "0.6", ["hole", "parts"]),
        ("size", "8", "15", ["parts", "box"]),
    ):
        page.fill(f"[data-from={name}]", low)
        page.fill(f"[data-to={name}]", high)
        sizes = [float(size) for size in window.cards("size")]
        if name == "size":
            assert all(8 <= size <= 15 for size in sizes)
            assert len(sizes) < 4
        else:
            assert window.names() == names
        page.click("#tools button[type=reset]")
        until(lambda: len(window.names()) == 4)
    page.fill("[data-to=quality]", "0.1")
    assert window.names() == []
    assert page.is_visible("#none")


def test_a_report_is_filtered_by_subset_and_its_classes_lead_to_their_instances(
    open_: Any,
) -> None:
    window = open_("report")
    page = window.page
    page.select_option("[data-filter=subset]", label="SOTA (4)")
    assert window.names() == ["edge", "hole", "parts", "box"]
    page.click(f"#subset-sota th a:has-text({HOSTILE[-9:-4]!r})")
    assert window.names() == ["parts"]
    assert page.input_value("[data-filter=subset]") == "SOTA"
    page.click("#subset-fast a:has-text('Its instances')")
    assert set(window.cards("subset")) == {"FAST"}


@pytest.mark.parametrize("name", PAGES)
def test_a_wall_is_sorted_by_each_score_those_without_it_last(open_: Any, name: str) -> None:
    window = open_(name)
    page = window.page
    sorts = page.eval_on_selector_all("#sort option", "options => options.map(o => o.value)")
    scores = {value.split()[0] for value in sorts}
    assert scores == {
        "quality", "predicted_iou", "stability_score", "box_iou", "obb_iou", "outside", "size",
    }  # fmt: skip
    assert page.input_value("#sort") == "quality up"
    for value in sorts:
        page.select_option("#sort", value)
        score, way = value.split()
        told = window.cards(score)
        known = [float(one) for one in told if one]
        assert known == sorted(known, reverse=way == "down"), value
        assert all(one == "" for one in told[len(known) :]), value
        assert known
    words = page.eval_on_selector_all("#sort option", "options => options.map(o => o.text)")
    assert words[:2] == ["quality, worst first", "quality, best first"]
    assert words[sorts.index("outside down")] == "outside the box, worst first"


def test_an_instance_is_opened_zoomed_and_left_with_keys_alone(open_: Any) -> None:
    window = open_("preview")
    page = window.page
    page.locator(".card .pic").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    until(window.is_open)
    assert window.hash() == "instance/SOTA/a#hole"
    assert page.inner_text("#title") == "plane"
    assert page.inner_text("#place") == "2 of 4"
    assert window.fact("quality") == "0.3000"
    assert window.fact("stability_score") == "0.4000"
    whole = window.box()
    page.keyboard.press("+")
    assert window.box()[2] < whole[2]
    page.keyboard.press("0")
    assert window.box() == whole
    page.keyboard.press("-")
    assert window.box() == whole
    assert page.locator("#stage .mask").is_visible()
    page.keyboard.press("m")
    assert not page.locator("#stage .mask").is_visible()
    assert page.get_attribute("#show-mask", "aria-pressed") == "false"
    page.keyboard.press("m")
    page.keyboard.press("b")
    assert not page.locator("#stage .box").is_visible()
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#title") == HOSTILE
    assert not page.is_visible("[data-fact=predicted_iou]")
    assert window.hash() == "instance/SOTA/a#parts"
    page.keyboard.press("Escape")
    until(lambda: not window.is_open())
    until(lambda: window.hash() == "")
    focused = page.evaluate("document.activeElement.closest('.card').dataset.instance")
    assert focused == "a#parts"


def test_wheel_drag_and_two_fingers_move_and_zoom(open_: Any) -> None:
    window = open_("preview", has_touch=True)
    page = window.page
    page.locator(".card .pic").first.click()
    until(window.is_open)
    whole = window.box()
    at = page.locator("#stage").bounding_box()
    x, y = at["x"] + at["width"] / 2, at["y"] + at["height"] / 2
    page.mouse.move(x, y)
    page.mouse.wheel(0, -360)
    until(lambda: window.box()[2] < whole[2])
    before = window.box()
    page.mouse.down()
    page.mouse.move(x + 60, y + 30, steps=4)
    page.mouse.up()
    after = window.box()
    assert after[0] < before[0]
    assert after[1] < before[1]
    assert after[2:] == before[2:]
    touch = window.context.new_cdp_session(page)
    for kind, gap in (("touchStart", 20), ("touchMove", 60), ("touchMove", 120), ("touchEnd", 0)):
        points = [{"x": x + sign * gap, "y": y, "id": sign + 1} for sign in (-1, 1)]
        event = {"type": kind, "touchPoints": points if gap else []}
        touch.send("Input.dispatchTouchEvent", event)
    until(lambda: window.box()[2] < after[2] / 2)


@pytest.mark.parametrize(
    ("page", "name"), [("report", "instance/sota/b#edge"), ("preview", "instance/SOTA/b#edge")]
)
def test_a_link_opens_its_instance_and_going_back_closes_one(
    open_: Any, page: str, name: str
) -> None:
    window = open_(page, name)
    until(window.is_open)
    assert window.fact("instance") == "b#edge"
    assert window.page.get_attribute("#link", "href") == f"#{quote(name)}"
    window.page.keyboard.press("Escape")
    until(lambda: window.hash() == "")
    window.page.locator(".card .pic").nth(2).click()
    until(window.is_open)
    assert window.hash().startswith("instance/")
    window.page.go_back()
    until(lambda: not window.is_open())


def test_an_address_of_what_is_not_shown_says_so(open_: Any) -> None:
    window = open_("preview", "instance/SOTA/none#9")
    assert "instance/SOTA/none#9, which is not among" in window.page.inner_text("#count")
    assert not window.is_open()


def test_a_tile_is_opened_and_one_of_its_classes_seen_alone(open_: Any) -> None:
    window = open_("report")
    page = window.page
    tile = page.locator("#subset-sota .tile").first
    tile.locator(".legend").first.click()
    shown = tile.locator(".kind:not(.dim)")
    assert shown.count() == 1
    assert tile.locator(".legend").first.get_attribute("aria-pressed") == "true"
    tile.locator(".pic").click()
    until(window.is_open)
    assert window.hash() == "tile/sota/a__0_0"
    assert page.locator("#stage .kind").count() == 2
    assert page.locator("#stage .kind.dim").count() == 1
    page.locator("#legend .legend").nth(1).click()
    assert page.locator("#legend .legend[aria-pressed=true]").inner_text().startswith(HOSTILE)
    page.locator("#legend .legend").nth(1).click()
    assert page.locator("#stage .kind.dim").count() == 0
    assert not page.is_visible("[data-fact=quality]")


def test_keys_walk_a_long_wall_that_grows(open_: Any) -> None:
    window = open_("many")
    page = window.page
    assert len(window.names()) == 84
    assert page.inner_text("#further") == f"Show {MANY - 84} more of {MANY - 84}"
    assert page.locator("#wall .pic[tabindex='0']").count() == 1
    page.locator("#wall .pic").first.focus()
    page.keyboard.press("End")
    assert len(window.names()) == MANY
    assert not page.is_visible("#further")
    at = "document.activeElement.closest('.card').dataset.instance"
    assert page.evaluate(at) == f"m#{MANY - 1:03d}"
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    columns = page.evaluate(
        "getComputedStyle(document.getElementById('wall')).gridTemplateColumns.split(' ').length"
    )
    assert columns > 1
    assert page.evaluate(at) == f"m#{columns:03d}"


@pytest.mark.parametrize("name", PAGES)
def test_it_fits_a_phone(open_: Any, name: str) -> None:
    window = open_(name, width=390, has_touch=True)
    page = window.page
    wide = "document.documentElement.scrollWidth"
    assert page.evaluate(wide) == 390
    page.click(".tools summary")
    assert page.evaluate(wide) == 390
    for control in page.locator("#tools select, #tools input, #tools button").all():
        box = control.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    framed = page.eval_on_selector_all(
        ".frame", """frames => frames.map(frame => [
            frame.firstElementChild.scrollWidth > frame.firstElementChild.clientWidth + 1,
            frame.lastElementChild.offsetHeight > 0])"""
    )  # fmt: skip
    assert framed
    assert all(sign for wider, sign in framed if wider)
    page.locator(".card .pic").first.tap()
    until(window.is_open)
    for name_ in ("previous", "next", "close", "larger", "show-mask"):
        box = page.locator(f"#{name_}").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert box["height"] >= 36
    stage = page.locator("#stage").bounding_box()
    assert stage["width"] > 350
    assert stage["height"] > 350
    assert page.evaluate(wide) == 390


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1400, "light"), (1400, "dark")])
def test_nothing_serious_bars_people_from_a_page(
    open_: Any, name: str, width: int, scheme: str
) -> None:
    window = open_(name, width=width, color_scheme=scheme, bypass_csp=True)
    assert serious(window.page) == []
    window.page.locator(".card .pic").first.focus()
    window.page.keyboard.press("Enter")
    until(window.is_open)
    assert serious(window.page) == []


@pytest.mark.parametrize("name", PAGES)
def test_without_scripts_all_pictures_are_there(open_: Any, name: str) -> None:
    window = open_(name, java_script_enabled=False)
    page = window.page
    pictures = page.locator(".card .pic img")
    assert pictures.count() == len(FEW) + (MANY if name == "report" else 0)
    for number in (0, pictures.count() - 1):
        assert pictures.nth(number).is_visible()
        box = pictures.nth(number).bounding_box()
        assert min(box["width"], box["height"]) > 100
    assert not page.is_visible(".tools")
    assert not page.is_visible("#view")
    small = page.locator(".card").nth(1).bounding_box()
    page.locator(".card .pic").nth(1).click()
    until(lambda: page.locator(".card").nth(1).bounding_box()["width"] > 1.5 * small["width"])
