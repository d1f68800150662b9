"""SIGKILL of the stages that ``kills.py`` leaves out, on products made by hand.

These are check, pretrain, finetune in both modes, and report. Trainings are of a small network on
drawn discs, and are killed while they work: the time from the first file of unfinished work to the
kill is drawn below what it was in a run that nobody killed. Before, there is nothing to go on from.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.ablation import frames
from tests.label import hand_made
from tests.pipeline.closure import ROOT
from tests.products_by_hand import QUALITY, Thing
from tests.report import releases
from tests.training import discs
from tools.attack.kills import KILLS, LONGEST, Stage, digest, environment, killed, unfinished
from tools.attack.outcome import SILENT, TRACEBACK, Outcome

SETTINGS: dict[str, Any] = {"crop": 64, "batch_size": 4, "steps": 20}
NETWORK = {"encoder": "tu-mobilenetv3_small_050", "encoder_weights": None, "decoder": "unet"}
SHARES = {"probe": [0.4, 0.8], "full": [0.4, 1.0]}
"""By ``finetune.mode``; all tiles can be drawn in one way only."""


def _stage(name: str, words: str, *outs: str, module: str = "") -> Stage:
    return Stage(name, ["-m", f"stages.{module or name}", *words.split()], outs)


CHECK = _stage("check", "out", "out")
REPORT = _stage(
    "report",
    f"../by_hand/release ../by_hand/metrics ../rows.parquet ../hand {QUALITY} out",
    "out",
)
PRETRAIN = _stage("pretrain", "../release out m/all.json m/loss.csv m/head.json", "out", "m")
FINETUNE = {
    mode: _stage(
        f"finetune, mode {mode}", "isaid ../isaid ../pretrain/out out m/all.json m/head.json",
        "out", "m", module="finetune",
    )
    for mode in SHARES
}  # fmt: skip


def attacks(work: Path, seed: int, tries: int) -> Iterator[Outcome]:
    """Kill each of these stages ``KILLS`` times.

    Args:
        work: an empty folder.
        seed: of the moments.
        tries: not used.
    """
    rng = random.Random(seed)
    _products(work)
    yield from _attacked(work / "check", CHECK, {}, rng)
    yield from _attacked(work / "report", REPORT, {}, rng)
    yield from _attacked(work / "pretrain", PRETRAIN, {}, rng, trains=True)
    for mode, stage in FINETUNE.items():
        own = {"mode": mode, "shares": SHARES[mode]}
        yield from _attacked(work / mode, stage, own, rng, trains=True)


def _products(work: Path) -> None:
    """What the stages read: discs for trainings, a few masks for the report."""
    splits = ["train"] * 5 + ["val"] * 2
    discs.write(work / "release" / "sota", ["red", "green"], splits, side=128)
    discs.write(work / "release" / "fast", ["red", "green", "blue"], splits, side=128)
    discs.write(work / "isaid", ["background", "red", "green"], splits, side=128, ground=0)
    root, tile = work / "by_hand", "a__0_0"
    things = [Thing(tile, "harbor", (0, 0, 40, 40), "1"), Thing(tile, "ship", (5, 5, 12, 12), "2")]
    names = {name: releases.write_release(root, name, [tile], things) for name in ("sota", "fast")}
    releases.write_metrics(root, names)
    frames.measured(hand_made.write_product(work / "hand")).to_parquet(work / "rows.parquet")


def _attacked(
    folder: Path,
    stage: Stage,
    finetune: Mapping[str, Any],
    rng: random.Random,
    *,
    trains: bool = False,
) -> Iterator[Outcome]:
    """Run a stage to its end in a folder of its own, then kill it."""
    folder.mkdir()
    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["subsets"] = {"dota": "sota", "fair1m": "fast"}
    params["pretrain"] |= {**SETTINGS, **NETWORK}
    params["finetune"]["isaid"] |= {**SETTINGS, "draws": 3, **finetune}
    params["runtime"] |= {"device": "cpu", "threads": 1}
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    spent, worked, told = _watched(folder, stage)
    if told or (trains and not worked):
        yield Outcome(stage.name, TRACEBACK, told or "no unfinished work was seen")
        return
    missing = [out for out in stage.outs if not (folder / out).exists()]
    if missing:
        yield Outcome(stage.name, SILENT, f"nothing in {missing}")
        return
    wanted = digest(folder, stage.outs)
    for _ in range(KILLS):
        after = rng.uniform(0.05, 1.0) * (worked if trains else spent)
        yield killed(folder, stage, after, wanted, at_work=trains)


def _watched(folder: Path, stage: Stage) -> tuple[float, float, str]:
    """Seconds of a run and of its unfinished work being there, and what a failure said."""
    log = folder / "log.txt"
    seen: list[float] = []
    begin = time.monotonic()
    with log.open("w", encoding="utf-8") as file:
        child = subprocess.Popen(
            [sys.executable, *stage.words], cwd=folder, env=environment(), stdout=file,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            while child.poll() is None and time.monotonic() - begin < LONGEST:
                if unfinished(folder):
                    seen.append(time.monotonic())
                time.sleep(0.01)
        finally:
            child.kill()
            child.wait()
    spent = time.monotonic() - begin
    text = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    worked = seen[-1] - seen[0] if seen else 0.0
    return spent, worked, (text or "no word") if child.returncode else ""
