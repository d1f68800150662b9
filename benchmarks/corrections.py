"""What applying corrections costs, beside a plain re-filter of the same products in the same run.

    python -m benchmarks.corrections [--share 0.05] [--number 10000] [--rounds 3] [--work FOLDER]

Writes products of SAMRS's size times --share (``benchmarks/samrs_sized.py``), and corrections: a
fifth each of masks rejected, accepted, drawn, answered, and of another class. Then releases by
turns without and with them, and prints one JSON line: CPU seconds of both with all their processes,
the median ratio of the pairs; and ``whole_ratio``, what the same corrections would add to the whole
of SAMRS, whose plain re-filter costs 1 / share times as much. Exits with 1 where that is above 1.1.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import yaml

from benchmarks.samrs_sized import SUBSETS, write_trio
from samrs.core.parameters import grouped
from samrs.core.shards import read_manifest, read_table
from samrs.corrections.records import (
    Anchor,
    Answer,
    ClassChange,
    Clicks,
    Drawn,
    Record,
    Verdict,
    mask_digest,
)
from samrs.corrections.write import file_text
from samrs.release.release import release

ROOT = Path(__file__).resolve().parents[1]
MOST = 1.1
KINDS = 5


def corrections(released: Path, folder: Path, number: int) -> None:
    """Corrections of instances of a release, drawn at random.

    Args:
        released: a plain release.
        folder: takes the files.
        number: of corrections.
    """
    columns = ["instance_id", "tile_id", "hbb_annotated", "category", "rle"]
    table = read_table(released, "instances", columns)
    chosen = np.random.default_rng(7).choice(len(table), min(number, len(table)), replace=False)
    rows = table.take(np.sort(chosen)).to_pylist()
    categories = read_manifest(released)["categories"]
    records: dict[Any, Record] = {}
    for place, row in enumerate(rows):
        other = rows[place - 1]["rle"]
        record = _record(place % KINDS, row, other, categories)
        records[record.key] = record
    folder.mkdir(parents=True, exist_ok=True)
    for name in {record.FILE for record in records.values()}:
        text = file_text(name, (r for r in records.values() if name == r.FILE))
        (folder / name).write_text(text, encoding="utf-8")


def _record(kind: int, row: dict[str, Any], other: Any, categories: list[str]) -> Record:
    """A correction of a row: of its mask another one's of the same size."""
    anchor, mask = Anchor.of(row), other if other["size"] == row["rle"]["size"] else row["rle"]
    if kind < 2:
        said = ("reject", "accept")[kind]
        return Verdict(anchor=anchor, verdict=said, mask=mask_digest(row["rle"]))
    if kind == 2:
        return Drawn(anchor=anchor, rle=mask)
    if kind == 3:
        answer = Answer(rle=mask, segmenter="sam", model="nano", model_sha256="", precision="")
        return Clicks(anchor=anchor, positive=((1.0, 1.0),), answer=answer)
    return ClassChange(anchor=anchor, old=row["category"], new=categories[0])


def cpu_seconds(folder: Path, said: Path | None) -> float:
    """CPU seconds of releasing all subsets, with all processes."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["release"]
    begin = os.times()
    for name, subset in SUBSETS.items():
        normalized, labelled = (folder / p / subset.dataset for p in ("normalize", "sam_label"))
        out = folder / ("plain" if said is None else "corrected") / name
        counts = release(
            normalized,
            labelled,
            out,
            ROOT / "samrs" / "models" / "quality.json",
            None if said is None else said / subset.dataset,
            **grouped(release, params),
        )
        if said is not None and counts["corrections"]["conflicts"]:
            raise SystemExit(f"{name}: conflicts {counts['corrections']['conflicts']}")
    return sum(os.times()[:4]) - sum(begin[:4])


def measure(folder: Path, share: float, number: int, rounds: int) -> dict[str, Any]:
    """The figures; see the module.

    Args:
        folder: takes the products.
        share: of SAMRS's size.
        number: of corrections in all.
        rounds: pairs of runs.
    """
    if not (folder / "normalize").exists():
        write_trio(folder, share)
    cpu_seconds(folder, None)
    total = sum(subset.instances for subset in SUBSETS.values())
    for name, subset in SUBSETS.items():
        own = round(number * subset.instances / total)
        corrections(folder / "plain" / name, folder / "said" / subset.dataset, own)
    pairs = [
        (cpu_seconds(folder, None), cpu_seconds(folder, folder / "said")) for _ in range(rounds)
    ]
    plain, added = median(p for p, _ in pairs), median(c - p for p, c in pairs)
    return {
        "share": share,
        "corrections": number,
        "plain_cpu_seconds": [round(p, 2) for p, _ in pairs],
        "corrected_cpu_seconds": [round(c, 2) for _, c in pairs],
        "ratio": round(median(c / p for p, c in pairs), 3),
        "whole_ratio": round(1 + added / (plain / share), 4),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = given.work or Path(place)
        found = measure(folder, given.share, given.number, given.rounds)
    print(json.dumps(found))
    sys.exit(found["whole_ratio"] > MOST)


if __name__ == "__main__":
    main()
