"""SIGKILL of stages and commands at moments drawn at random: the next run ends with equal bytes.

A pipeline of two drawn scenes runs in an empty folder, stage by stage; each stage is then killed
some times, its outputs removed as DVC removes them, and run to its end.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.pipeline.closure import ROOT
from tests.publish import repositories as tiny
from tools.attack.outcome import SILENT, SURVIVED, TRACEBACK, Outcome

KILLS = 3
"""Of each stage."""

RECIPES = ["hbox", "hbox+point"]
TIMES = "timing.json"
"""What an audit writes of its seconds, which no two runs share."""

UNFINISHED = ".work"
"""Where stages keep unfinished work."""

LONGEST = 600.0


@dataclass(frozen=True)
class Stage:
    """A command and what it writes, relative to the folder it runs in."""

    name: str
    words: Sequence[str]
    outs: Sequence[str]


def _stage(name: str, words: str, *outs: str) -> Stage:
    return Stage(name, ["-m", f"stages.{name}", *words.split()], outs)


STAGES = (
    _stage("download", "hrsc2016 inbox raw m/download.json", "raw", "m/download.json"),
    _stage("normalize", "hrsc2016 hrsc2016 raw norm m/norm.json", "norm", "m/norm.json"),
    _stage("weights", "weights", "weights"),
    _stage("prompt_ablation", "norm weights rows/instances.parquet", "rows/instances.parquet"),
    _stage("compare_prompts", "rows/instances.parquet m/cmp m/head.json", "m/cmp", "m/head.json"),
    _stage("sam_label", "norm weights auto_prompt.json masks m/label.json", "masks"),
    _stage("release", "norm masks quality.json release/x m/release.json", "release/x"),
    _stage("stats", "release m/stats.json m/stats m/c.csv m/s.csv m/h.json",
           "m/stats.json", "m/c.csv", "m/s.csv"),
    Stage("audit", ["-m", "samrs", "audit", "hrsc2016", "raw", "--out", "audit", "--limit", "2",
                    "--recipes", "hbox", "--recipes", "point"], ["audit"]),
    Stage("export", ["-m", "samrs", "export", "coco", "release/x", "coco"], ["coco"]),
)  # fmt: skip
"""In the order of the pipeline: each reads what those before it wrote."""


def attacks(work: Path, seed: int, tries: int) -> Iterator[Outcome]:
    """Kill every stage ``KILLS`` times, and a publication.

    Args:
        work: an empty folder.
        seed: of the moments.
        tries: not used.
    """
    rng = random.Random(seed)
    _prepare(work)
    for stage in STAGES:
        begin = time.monotonic()
        told = run(work, stage.words)
        seconds = time.monotonic() - begin
        if told:
            yield Outcome(stage.name, TRACEBACK, told)
            return
        wanted = digest(work, stage.outs)
        for _ in range(KILLS):
            yield killed(work, stage, rng.uniform(0.05, 1.0) * seconds, wanted)
    for number in range(KILLS):
        yield _publication(work / f"publish{number}", rng.random())


def _prepare(work: Path) -> None:
    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["download"]["hrsc2016"]["scenes"] = 2
    params["prompt_ablation"] |= {"recipes": RECIPES, "floors": ["box"]}
    params["subsets"] = {"hrsc2016": "x"}
    params["runtime"]["device"] = "cpu"
    (work / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    (work / "inbox").mkdir()
    for name in ("auto_prompt.json", "quality.json"):
        shutil.copyfile(ROOT / "samrs" / "models" / name, work / name)


def environment() -> dict[str, str]:
    """Of what is attacked: this project's packages, and no word to DVC's makers."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1"}


def run(folder: Path, words: Sequence[str]) -> str:
    """Run a command to its end; returns what it said where it failed.

    Args:
        folder: to run it in.
        words: of Python's command line.
    """
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment(), capture_output=True, text=True,
        check=False, timeout=LONGEST,
    )  # fmt: skip
    return f"{done.stdout}{done.stderr}"[-2000:] or "no word" if done.returncode else ""


def _remove(folder: Path, outs: Sequence[str]) -> None:
    for out in outs:
        path = folder / out
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def killed(
    work: Path, stage: Stage, after: float, wanted: str, *, at_work: bool = False
) -> Outcome:
    """Kill a stage after some seconds, remove what DVC would, and run it to its end.

    The outcome names the files of unfinished work that the killed run left.

    Args:
        work: where it runs.
        stage: that ran here to its end before.
        after: seconds.
        wanted: digest of what it wrote.
        at_work: they are counted from the first file of unfinished work, not from the start.
    """
    _remove(work, stage.outs)
    child = subprocess.Popen(
        [sys.executable, *stage.words], cwd=work, env=environment(), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while at_work and child.poll() is None and not unfinished(work):
        time.sleep(0.01)
    try:
        child.wait(after)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    left = " ".join(unfinished(work))
    attack = f"{stage.name} killed after {after:.2f} s, left {left or 'nothing'}"
    if (
        stage.words[1] != "samrs" or (work / stage.outs[0]).exists()
    ):  # a command's own leftovers are its own matter
        _remove(work, stage.outs)
    if told := run(work, stage.words):
        return Outcome(attack, TRACEBACK, told)
    same = digest(work, stage.outs) == wanted
    return Outcome(attack, SURVIVED if same else SILENT, "" if same else "other bytes")


def unfinished(work: Path) -> list[str]:
    """Names of the files of unfinished work.

    Args:
        work: where a stage runs.
    """
    return sorted(p.name for p in (work / UNFINISHED).rglob("*") if p.is_file())


def digest(folder: Path, outs: Sequence[str]) -> str:
    """One sha256 of the names and bytes of files and folders.

    Args:
        folder: where they lie.
        outs: their paths below it.
    """
    found = hashlib.sha256()
    for out in outs:
        path = folder / out
        for file in [path] if path.is_file() else _files(path):
            found.update(f"{file.relative_to(folder)}\0".encode())
            found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.name != TIMES)


def _publication(work: Path, moment: float) -> Outcome:
    """Kill a publication; the next one ends with all tags, one entry and a clean tree."""
    work.mkdir()
    env = tiny.environment(work) | {"PYTHONPATH": str(ROOT)}
    with tiny.served(work / "storage") as server:
        root = tiny.make(work / "repo", env, public=server.url, storage="../../storage")
        origin = tiny.bare(root, work / "origin.git", env)
        tiny.run(root, env, "git", "remote", "add", "origin", str(origin))
        words = [sys.executable, "-m", "samrs", "publish", "1.0.0"]
        after = 0.5 + 12 * moment
        child = subprocess.Popen(
            words, cwd=root, env=env, start_new_session=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            child.wait(after)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        attack = f"publish killed after {after:.2f} s"
        done = tiny.attempt(root, env, *words)
        again = "already" in done.stderr or "exists" in done.stderr or "there" in done.stderr
        if done.returncode and not again:
            return Outcome(attack, TRACEBACK, f"{done.stdout}{done.stderr}"[-2000:])
        tags = set(tiny.run(root, env, "git", "ls-remote", "--tags", str(origin)).split())
        wrong = "refs/tags/v1.0.0" not in tags
        wrong |= bool(tiny.run(root, env, "git", "status", "--porcelain"))
        wrong |= (root / "CHANGELOG.md").read_text().count("## 1.0.0") != 1
    return Outcome(attack, SILENT if wrong else SURVIVED, f"{tags}" if wrong else "")
