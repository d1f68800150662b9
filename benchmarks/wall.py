"""The wall of ``samrs review`` in a real browser: first pictures, frames, memory, clicks.

    python -m benchmarks.wall --masks 200000
    python -m benchmarks.wall --masks 200000 --work FOLDER --code ANOTHER_CHECKOUT

Writes a release of so many masks (of SOTA's sizes, 35 on a tile of 1024 px, drawn scenes as images)
and one of 35, serves each by ``samrs review`` in a process of its own and looks at them in
Chromium:

- ``first_s``: from the request of the page to 12 whole pictures on the screen; ``first_cpu_s`` is
  what the server computed for it, ``first_browser_cpu_s`` what Chromium did;
- ``frames``: a second, while the wall is scrolled by 24 px each frame for 4 s, of Chromium's trace,
  and ``slow``: the share of them that took over 25 ms;
- ``rss_mib`` of the server after it, beside that of the release of 35 masks;
- ``click_ms``: from a click to its mask, by nano, on an encoded tile (median of 9), and
  ``click_cpu_ms`` of the server;
- ``next_ms``: the same at once after the key for the next mask, whose tile nobody looked at, once a
  person looked at the one before for 3 s (median of 5); ``next_cpu_ms`` of the server from the key
  to the mask;
- ``jump_ms``: the same at once after a mask far down the wall was opened by the pointer.

``--work`` keeps the releases for another run, ``--code`` serves them by the code of another
checkout. Prints one JSON line. Other work on the machine slows all of it, which ``load`` tells of;
CPU times hardly change.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.samrs_sized import SUBSETS, write_subset
from samrs.core.images import encode_rgb
from samrs.core.label_png import encode_labels
from samrs.core.records import RELEASED, SCENES, SEMANTIC, TILES
from samrs.core.shards import (
    ShardWriter,
    fresh_product,
    iter_tables,
    read_manifest,
    read_table,
    sha256,
    write_manifest,
)
from samrs.label_dataset.label_dataset import QUALITY, RELEASE
from samrs.release.release import release
from samrs.scenes.render import render_scene
from samrs.weights.weights import find_checkpoint

SCENES_DRAWN = 4
LOOKED, POINTED = 3.0, 0.5
"""Seconds that a person looks at a mask, and that the pointer is on a card before it is pressed."""
WHOLE = (
    "() => [...document.querySelectorAll('.card:not([hidden]) img')]"
    ".filter((i) => i.complete && i.naturalWidth).length"
)
SCROLL = """() => new Promise((done) => {
  const wall = document.getElementById('wall'), times = [], from = performance.now();
  const step = (now) => {
    times.push(now);
    wall.scrollTop += 24;
    if (now - from < 4000) requestAnimationFrame(step); else done(times);
  };
  requestAnimationFrame(step);
})"""


def write_release(folder: Path, masks: int) -> Path:
    """A release of so many masks with images."""
    out = fresh_product(folder / "release" / f"masks-{masks}")
    subset = SUBSETS["sota"]
    write_subset(folder, "sota", masks / subset.instances)
    normalized, labelled = folder / "normalize" / "dota", folder / "sam_label" / "dota"
    size_hw = (subset.side, subset.side)
    quarter = render_scene(60_000_000, size_hw=(subset.side // 2, subset.side // 2)).image
    turned = [np.rot90(quarter, k) for k in range(SCENES_DRAWN)]
    rows_of = [np.concatenate([turned[k], turned[k - 1]], axis=1) for k in range(SCENES_DRAWN)]
    images = [
        encode_rgb(np.concatenate([rows_of[k], rows_of[k - 2]]), ".jpg", 90)
        for k in range(SCENES_DRAWN)
    ]
    tiles = read_table(normalized, "tiles").to_pylist()
    empty = encode_labels(np.full(size_hw, 255, np.uint8))
    with (
        ShardWriter(out, "tiles", TILES) as tile_rows,
        ShardWriter(out, "semantic", SEMANTIC) as maps,
    ):
        for number, tile in enumerate(tiles):
            data = images[number % SCENES_DRAWN]
            tile_rows.write({**tile, "image": {"bytes": data, "path": f"{tile['tile_id']}.jpg"}})
            label_map = {"bytes": empty, "path": f"{tile['tile_id']}.png"}
            maps.write({"tile_id": tile["tile_id"], "split": tile["split"], "label_map": label_map})
    with ShardWriter(out, "scenes", SCENES) as scene_rows:
        for tile in tiles:
            scene_rows.write({f.name: tile.get(f.name) for f in SCENES})
    with ShardWriter(out, "instances", RELEASED) as rows:
        pairs = zip(
            iter_tables(normalized, "instances"), iter_tables(labelled, "masks"), strict=True
        )
        for instances, found in pairs:
            both = {name: of[name] for of in (instances, found) for name in of.column_names}
            both["quality"] = pc.multiply(found["predicted_iou"], found["stability_score"])
            size = len(instances)
            both["made_by"] = pa.array(["machine"] * size)
            both["accepted"] = pa.array(np.zeros(size, bool))
            columns = [both.get(f.name, pa.nulls(size, f.type)) for f in RELEASED]
            rows.write_table(pa.table(columns, schema=RELEASED))
    write_manifest(out, _about(folder / "small", masks))
    shutil.rmtree(folder / "normalize")
    shutil.rmtree(folder / "sam_label")
    return out


def _written(folder: Path, masks: int) -> Path:
    """A release of so many masks, written unless an earlier run left it."""
    found = folder / "release" / f"masks-{masks}"
    return found if (found / "manifest.json").exists() else write_release(folder, masks)


def _about(folder: Path, rows: int) -> dict[str, Any]:
    """What a real release of a single tile says of itself, but for what made it and how many."""
    write_subset(folder, "sota", 35 / SUBSETS["sota"].instances)
    normalized, labelled = folder / "normalize" / "dota", folder / "sam_label" / "dota"
    release(normalized, labelled, folder / "release", QUALITY, **RELEASE)
    told = read_manifest(folder / "release")
    nano = find_checkpoint("sam", "nano")
    assert nano.path is not None
    told["counts"] |= {"kept": rows, "instances": rows}
    made = {"model_sha256": sha256(nano.path), "precision": "float32"}
    return {k: v for k, v in told.items() if k != "shards"} | made


class Served:
    """A release under review, in a process of its own."""

    def __init__(self, release: Path, corrections: Path, code: Path) -> None:
        command = [sys.executable, "-m", "samrs", "review", str(release), "--corrections",
                   str(corrections)]  # fmt: skip
        begin = time.perf_counter()
        self.process = subprocess.Popen(command, cwd=code, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"http://\S+", line):
                self.address = found[0]
                self.opened_s = time.perf_counter() - begin
                return
        raise SystemExit("the review did not start")

    def _of_proc(self, file: str) -> str:
        return Path(f"/proc/{self.process.pid}/{file}").read_text(encoding="utf-8")

    @property
    def rss_mib(self) -> float:
        """Its largest memory so far."""
        found = re.search(r"VmHWM:\s+(\d+) kB", self._of_proc("status"))
        assert found
        return round(int(found[1]) / 1024, 1)

    @property
    def cpu_s(self) -> float:
        """What it computed so far, on all cores."""
        return _ticks(self.process.pid)[1]


def _ticks(process: int) -> tuple[int, float]:
    """Parent of a process and its CPU seconds."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:  # it has ended
        return 0, 0.0
    fields = text.rpartition(")")[2].split()
    return int(fields[1]), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def browser_cpu_s(server: int) -> float:
    """CPU seconds of all that this process started, but for the server."""
    every = {int(p.name): _ticks(int(p.name)) for p in Path("/proc").iterdir() if p.name.isdigit()}
    ours, total = {os.getpid()}, 0.0
    while grown := {pid for pid, (parent, _) in every.items() if parent in ours and pid != server}:
        total += sum(every.pop(pid)[1] for pid in grown)
        ours = grown
    return total


def look(chromium: Any, release: Path, given: argparse.Namespace, work: Path) -> dict[str, Any]:
    """What is seen of one release: all of it of a large one."""
    large = release.name != "masks-35"
    served = Served(release, work / f"said-{release.name}", given.code)
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(120_000)
    try:
        begin, before = time.perf_counter(), (served.cpu_s, browser_cpu_s(served.process.pid))
        page.goto(served.address)
        most = 12 if large else 1
        while page.evaluate(WHOLE) < most:
            if said := page.inner_text("#toast"):
                raise SystemExit(said)
            time.sleep(0.01)
        found: dict[str, Any] = {
            "opened_s": round(served.opened_s, 2),
            "first_s": round(time.perf_counter() - begin, 2),
            "first_cpu_s": round(served.cpu_s - before[0], 2),
            "first_browser_cpu_s": round(browser_cpu_s(served.process.pid) - before[1], 2),
        }
        print(release.name, found, file=sys.stderr)
        if large:
            found |= _scrolled(chromium, page, work)
            print(found, file=sys.stderr)
            found |= _clicked(page, served)
        else:  # the segmenter and a tile, as the other has them
            page.keyboard.press("Enter")
            page.wait_for_selector("#view[open]")
            _click(page, 0)
        return {**found, "rss_mib": served.rss_mib, "cpu_s": served.cpu_s}
    finally:
        page.close()
        served.process.kill()
        served.process.wait()


def _scrolled(chromium: Any, page: Any, folder: Path) -> dict[str, Any]:
    time.sleep(1)
    trace = folder / "trace.json"
    chromium.start_tracing(
        page=page,
        path=trace,
        categories=["disabled-by-default-devtools.timeline.frame", "devtools.timeline.frame", "cc"],
    )
    times = np.array(page.evaluate(SCROLL))
    chromium.stop_tracing()
    events = json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
    drawn = sorted(e["ts"] for e in events if e["name"] == "DrawFrame")
    seconds = (times[-1] - times[0]) / 1000
    return {
        "frames": round(float(len(drawn) / seconds), 1),
        "callbacks": round(float((len(times) - 1) / seconds), 1),
        "slow": round(float((np.diff(times) > 25).mean()), 4),
    }


def _click(page: Any, dx: float) -> int:
    """What the page tells of a click so far right of the middle, ms.

    Args:
        dx: px of the screen.
    """
    box = page.locator("#stage").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2 + dx, box["y"] + box["height"] / 2)
    while not (found := re.search(r"mask in (\d+) ms", page.inner_text("#hint"))):
        if page.inner_text("#toast"):
            raise SystemExit(page.inner_text("#toast"))
        time.sleep(0.005)
    page.evaluate("() => { document.getElementById('hint').textContent = ''; }")
    return int(found[1])


def _clicked(page: Any, served: Served) -> dict[str, Any]:
    """Medians of what the page itself tells of a click, ms, and of the server's CPU, ms."""
    page.evaluate("() => { document.getElementById('wall').scrollTop = 0; }")
    page.locator(".card[data-place='0'] button").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#view[open]")

    def shown(place: int) -> None:
        while f"· {place:,} of" not in page.inner_text("#title"):
            time.sleep(0.005)

    time.sleep(10)  # torch is imported and the segmenter loaded meanwhile
    _click(page, 0)
    before = served.cpu_s
    warm = [_click(page, k) for k in range(1, 10)]
    warm_cpu = (served.cpu_s - before) / len(warm)
    following: list[tuple[int, float]] = []
    for place in range(2, 7):
        time.sleep(LOOKED)
        before = served.cpu_s
        page.keyboard.press("n")
        shown(place)
        following.append((_click(page, 0), served.cpu_s - before))
    page.keyboard.press("Escape")
    page.evaluate("() => { document.getElementById('wall').scrollTop = 50000; }")
    time.sleep(LOOKED)
    page.mouse.move(640, 400)
    time.sleep(POINTED)
    before = served.cpu_s
    page.mouse.click(640, 400)
    page.wait_for_selector("#view[open]")
    jumped = _click(page, 0)
    return {
        "click_ms": statistics.median(warm),
        "click_cpu_ms": round(1000 * warm_cpu),
        "next_ms": statistics.median(ms for ms, _ in following),
        "next_cpu_ms": round(1000 * statistics.median(cpu for _, cpu in following)),
        "jump_ms": jumped,
        "jump_cpu_ms": round(1000 * (served.cpu_s - before)),
    }


def main() -> None:
    """Measure, and print one JSON line."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--masks", type=int, default=200_000)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    parser.add_argument("--work", type=Path)
    parser.add_argument("--code", type=Path, default=Path.cwd())
    given = parser.parse_args()
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
                 "--disable-component-update", "--disable-sync", "--no-first-run"]  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        # before Playwright runs its loop, which children of release would inherit and wait on
        empty, full = (_written(given.work or work, masks) for masks in (35, given.masks))
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=given.chromium, args=arguments)
            found = {
                "empty": look(chromium, empty, given, work),
                "masks": given.masks,
                "full": look(chromium, full, given, work),
                "load": round(os.getloadavg()[0], 1),
            }
            chromium.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
