"""The steps that read tables, on products of SAMRS's size without images.

    python -m benchmarks.scale /tmp/samrs-sized
    python -m benchmarks.scale /tmp/small --share 0.02

Writes into the folder, once, ``normalize`` and ``sam_label`` products and their releases (105,090
tiles of SAMRS's sizes, 1,668,241 instances; ``benchmarks/samrs_sized.py``) as the outputs of a DVC
repository. Then times, each in processes of its own:

- ``refilter``: all three subsets released again with other thresholds, label maps included;
- ``refilter_as_stored``: the same without cleaning any mask;
- ``stats``: ``samrs.stats``;
- ``verify``: ``samrs verify`` of the three releases;
- ``coco``: their export to COCO JSON, without images;
- ``dvc_status``, ``dvc_repro``: with nothing to do.

Prints one JSON line: of each step the seconds on the clock, the CPU seconds of all its processes,
and the most memory of all of them together in MiB (proportional set size, looked at ten times a
second: pages that processes share count once).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from benchmarks.samrs_sized import SUBSETS, write_trio
from samrs.core.parameters import grouped
from samrs.release.release import release

ROOT = Path(__file__).resolve().parents[1]
KIB = 1024
LOOK_SECONDS = 0.1
OTHER = {"min_area": 30, "min_predicted_iou": 0.8, "min_stability": 0.8}
"""Thresholds of the second release."""
AS_STORED = {"margin": None, "max_hole": 0.0, "min_part": 0.0}
"""Masks are not cleaned."""

STATS = """
import json, sys
from pathlib import Path
from samrs.stats.stats import stats
json.dump(stats({Path(path).name: Path(path) for path in sys.argv[1:]}), sys.stdout)
"""

COCO = """
import sys
from pathlib import Path
from samrs.export.export import export
for path in sys.argv[1:]:
    export("coco", Path(path), Path("coco", Path(path).name), images=False)
"""


def released(folder: Path, out: Path, **changes: Any) -> int:
    """Release every subset below ``out``; returns the number of instances kept."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["release"]
    quality = ROOT / "samrs" / "models" / "quality.json"
    kept = 0
    for name, subset in SUBSETS.items():
        normalized, labelled = (folder / p / subset.dataset for p in ("normalize", "sam_label"))
        values = grouped(release, {**params, **changes})
        kept += int(release(normalized, labelled, out / name, quality, **values)["kept"])
    return kept


def prepare(folder: Path, share: float) -> dict[str, int]:
    """Write the products and the DVC repository into a folder, unless that was done.

    Returns:
        Numbers of tiles and instances.
    """
    done = folder / "counts.json"
    if not done.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        counts = write_trio(folder, share)
        kept = released(folder, folder / "release", min_area=0)
        _repository(folder)
        done.write_text(json.dumps({"share": share, **counts, "released": kept}), encoding="utf-8")
    written: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
    if written.pop("share") != share:
        sys.exit(f"benchmarks.scale: {folder} holds another share; take another folder")
    return written


def _repository(folder: Path) -> None:
    """Make the products outputs of stages that are up to date."""
    made = {"normalize": "download", "sam_label": "normalize", "release": "sam_label"}
    stages = {}
    for subset, of in SUBSETS.items():
        for product, before in made.items():
            name = subset if product == "release" else of.dataset
            deps = [] if before == "download" else [f"{before}/{of.dataset}"]
            stages[f"{product}-{subset}"] = {
                "cmd": "exit 1", "deps": deps, "outs": [f"{product}/{name}"],
            }  # fmt: skip
    text = yaml.safe_dump({"stages": stages}, sort_keys=False)
    (folder / "dvc.yaml").write_text(text, encoding="utf-8")
    for words in (
        ("git", "init", "-q"),
        (sys.executable, "-m", "dvc", "init", "-q"),
        (sys.executable, "-m", "dvc", "config", "cache.type", "hardlink,copy"),
        (sys.executable, "-m", "dvc", "config", "core.analytics", "false"),
        (sys.executable, "-m", "dvc", "commit", "-q", "-f"),
    ):
        subprocess.run(words, cwd=folder, check=True, env=_environment())


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1"}


def measured(words: list[str], folder: Path) -> dict[str, float]:
    """Run a command and measure it with its children."""
    begin = time.monotonic()
    quiet = subprocess.DEVNULL
    child = subprocess.Popen(words, cwd=folder, env=_environment(), stdout=quiet)
    peak = 0.0
    while True:
        ended, status, usage = os.wait4(child.pid, os.WNOHANG)
        if ended:
            break
        peak = max(peak, sum(_memory(process) for process in _family(child.pid)))
        time.sleep(LOOK_SECONDS)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"benchmarks.scale: {' '.join(words[:5])} failed with status {child.returncode}")
    return {
        "s": round(time.monotonic() - begin, 2),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "mib": round(peak),
    }


def _family(process: int) -> list[int]:
    """A process and those it began."""
    try:
        listed = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [process, *(p for child in listed.split() for p in _family(int(child)))]


def _memory(process: int) -> float:
    """MiB of a process, what it shares counted in part; 0 once it has ended."""
    for file, field in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            text = Path(f"/proc/{process}/{file}").read_text(encoding="ascii")
        except OSError:
            continue
        found = [int(line.split()[1]) for line in text.splitlines() if line.startswith(field)]
        if found:
            return found[0] / KIB
    return 0.0


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--share", type=float, default=1.0, help="of SAMRS's tiles and instances")
    parser.add_argument("--only", nargs="+", help="steps; all without it")
    parser.add_argument("--refilter", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--as-stored", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    folder = wanted.folder.resolve()
    if wanted.refilter:
        released(folder, wanted.refilter, **OTHER, **(AS_STORED if wanted.as_stored else {}))
        return
    counts = prepare(folder, wanted.share)
    python, subsets = sys.executable, [f"release/{name}" for name in SUBSETS]
    again, coco = folder / "again", folder / "coco"
    refilter = [python, "-m", "benchmarks.scale", str(folder), "--refilter", str(again)]
    steps = {
        "refilter_as_stored": [*refilter, "--as-stored"],
        "refilter": refilter,
        "stats": [python, "-c", STATS, *subsets],
        "verify": [python, "-m", "samrs", "verify", *subsets],
        "coco": [python, "-c", COCO, *subsets],
        "dvc_status": [python, "-m", "dvc", "status"],
        "dvc_repro": [python, "-m", "dvc", "repro"],
    }
    figures: dict[str, Any] = {"share": wanted.share, **counts}
    for name, words in steps.items():
        if not wanted.only or name in wanted.only:
            shutil.rmtree(coco, ignore_errors=True)
            figures[name] = measured(words, folder)
    shutil.rmtree(again, ignore_errors=True)
    shutil.rmtree(coco, ignore_errors=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
