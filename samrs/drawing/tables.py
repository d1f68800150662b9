"""Metrics files to the tables of the report: cells are text, ready to be shown."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samrs.core.errors import MissingInputError

NONE = "–"


@dataclass(frozen=True)
class Table:
    """A table: the first column names the rows.

    Args:
        head: names of the columns.
        rows: cells, as many a row as ``head`` has.
        notes: sentences on what has no row.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


def aligned(lines: Sequence[Sequence[str]], *, texts: bool = False) -> str:
    """Columns for a terminal, the first to the left.

    Args:
        lines: the cells of each line, as many in all.
        texts: whether the other columns are to the left as well, not to the right as numbers are.
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if texts or not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def number(value: Any, digits: int = 3) -> str:
    """A cell: whole numbers with separators, a dash for None and for what holds nothing.

    Args:
        value: of a metrics file or a manifest. A list is its items; a mapping is a count of each
            name, as in ``2 × box has no area``.
        digits: decimals of numbers that are not whole.
    """
    if isinstance(value, Mapping):
        value = [f"{number(count, digits)} × {name}" for name, count in value.items()]
    if isinstance(value, list):
        value = ", ".join(number(item, digits) for item in value) or None
    if value is None:
        return NONE
    if isinstance(value, float):
        return f"{value:,.{digits}f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def percent(value: float | None) -> str:
    """A share [0, 1] as per cent; what is not nothing does not read as nothing."""
    if value is None:
        return NONE
    return "< 0.1 %" if 0 < value < 0.0005 else f"{value * 100:.1f} %"


def metrics_file(path: Path, stage: str) -> Path:
    """A file the report needs.

    Args:
        stage: the stage that writes it, for the error.

    Raises:
        MissingInputError: it is not there.
    """
    if not path.is_file():
        raise MissingInputError(
            f"{path}: metrics are missing, got no such file; the report needs what stage {stage} "
            f"writes; run dvc repro {stage}"
        )
    return path


def metrics_json(path: Path, stage: str) -> dict[str, Any]:
    """A metrics file as a dict.

    Raises:
        MissingInputError: it is not there.
    """
    text = metrics_file(path, stage).read_text(encoding="utf-8")
    value: dict[str, Any] = json.loads(text)
    return value


def metrics_of_each(folder: Path, stage: str) -> dict[str, dict[str, Any]]:
    """All JSON files of a folder by name, sorted.

    Raises:
        MissingInputError: there is none.
    """
    paths = sorted(folder.glob("*.json")) or [folder / "*.json"]
    return {path.stem: metrics_json(path, stage) for path in paths}


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values by dotted name; lists are left out.

    Args:
        prefix: what each name begins with, and a dot.
    """
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        elif not isinstance(value, list):
            yield f"{prefix}{key}", value


SUMMARY = {
    "Tiles": ("tiles", number),
    "Without masks": ("tiles_empty", number),
    "Instances": ("instances", number),
    "Unique": ("instances_unique", number),
    "Classes": ("classes_present", number),
    "Labelled": ("labelled_share", percent),
    "Overlap": ("overlap_share", percent),
    "Contested": ("contested_share", percent),
    "Predicted IoU": ("mean_predicted_iou", number),
    "Stability": ("mean_stability_score", number),
    "Box IoU": ("mean_box_iou", number),
    "Rotated-box IoU": ("mean_obb_iou", number),
    "Outside": ("mean_outside", percent),
}


def summary_table(stats: Mapping[str, Any]) -> Table:
    """One row a measure, one column a subset, from what ``samrs.stats.stats`` wrote.

    Measures that are 0 in every subset, or that none has, have a sentence instead of a row.
    """
    found = {name: [subset[key] for subset in stats.values()] for name, (key, _) in SUMMARY.items()}
    empty = {name for name, values in found.items() if all(v is None for v in values)}
    zero = {name for name, values in found.items() if values and all(v == 0 for v in values)}
    rows = [
        [name, *map(SUMMARY[name][1], values)]
        for name, values in found.items()
        if name not in empty | zero
    ]
    return Table(["Measure", *(name.upper() for name in stats)], rows, _without(found, zero, empty))


def _without(names: Iterable[str], zero: Container[str], empty: Container[str]) -> list[str]:
    """Sentences on what is 0, and on what was not measured."""
    none, unknown = ([name for name in names if name in some] for some in (zero, empty))
    notes = [f"Zero in every subset: {_listed(none)}."] if none else []
    why = "no instance has such a value"
    return notes + ([f"Not measured, as {why}: {_listed(unknown)}."] if unknown else [])


def _listed(names: Iterable[str]) -> str:
    """Names of measures within a sentence."""
    return ", ".join(n if n[:2].isupper() else n[0].lower() + n[1:] for n in names)


def dropped_table(manifests: Mapping[str, Mapping[str, Any]]) -> Table:
    """Instances labelled, left out by reason, released; one column a subset.

    Reasons for which none was left out of any have no row.
    """
    counts = [manifest["counts"] for manifest in manifests.values()]
    reasons = list(dict.fromkeys(r for c in counts for r, left in c["dropped"].items() if left))
    rows = [
        ["labelled", *(number(c["instances"]) for c in counts)],
        *(
            [f"− {reason}", *(number(c["dropped"].get(reason, 0)) for c in counts)]
            for reason in reasons
        ),
        ["= released", *(number(c["kept"]) for c in counts)],
    ]
    return Table(["Instances", *(manifest["subset"] for manifest in manifests.values())], rows)


def made_table(manifests: Mapping[str, Mapping[str, Any]]) -> Table:
    """One row for each thing that decided the release, one column a subset."""
    shown = ("dataset", "recipe", "segmenter", "model", "precision", "model_sha256")
    columns = [
        {
            **{key: manifest.get(key) for key in shown},
            **dict(flat(manifest["parameters"], "release.")),
        }
        for manifest in manifests.values()
    ]
    names = [manifest["subset"] for manifest in manifests.values()]
    rows = [[key, *(_plain(c[key]) for c in columns)] for key in columns[0]] if columns else []
    return Table(["Setting", *names], rows)


def _plain(value: Any) -> str:
    """A parameter as it is written in params.yaml."""
    text = NONE if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 40 else f"{text[:12]}…"


def input_table(normalized: Mapping[str, Mapping[str, Any]]) -> Table:
    """One row a dataset: what normalize read, and what it set aside by reason.

    Datasets of label maps have no boxes, which a sentence says.
    """
    rows, maps, clean = [], [], []
    for dataset, values in normalized.items():
        bad = values["quarantined"]
        boxes = [values["tiles_empty"], values["instances"]]
        if not values["instances"]:
            maps.append(dataset)
            boxes = [None, None]
        aside = [bad["total"], bad["by_reason"]]
        if not bad["total"]:
            clean.append(dataset)
            aside = [None, None]
        cells = [values["scenes"], values["tiles"], *boxes, *aside]
        rows.append([dataset, *map(number, cells)])
    notes = []
    if maps:
        notes.append(
            f"No box was read from {', '.join(maps)}: label maps, such as a benchmark's, have none."
        )
    if clean:
        notes.append(f"Nothing was set aside of {', '.join(clean)}.")
    head = ["Dataset", "Scenes", "Tiles", "Without boxes", "Instances", "Quarantined", "Reasons"]
    columns = [n for n in range(len(head)) if n < 3 or any(row[n] != NONE for row in rows)]
    return Table([head[n] for n in columns], [[row[n] for n in columns] for row in rows], notes)


RUN = {"Tiles": "tiles", "mIoU": "miou", "OA": "oa", "mF1": "mf1"}


def runs_table(runs: Mapping[str, Mapping[str, Mapping[str, Mapping[str, Any]]]]) -> Table:
    """Fine-tuning runs, those with few labels first.

    Args:
        runs: by init, share and seed, as ``samrs.finetune`` returned them.
    """
    ordered = [
        (float(share), init, int(seed), run)
        for init, shares in runs.items()
        for share, seeds in shares.items()
        for seed, run in seeds.items()
    ]
    ordered.sort(key=lambda entry: (entry[0], entry[1] != "scratch", entry[1], entry[2]))
    rows = [
        [f"{share:.0%}", init, str(seed), *(number(run[key]) for key in RUN.values())]
        for share, init, seed, run in ordered
    ]
    return Table(["Labels", "Start", "Seed", *RUN], rows)


def gain_sentence(gain: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Where the interval of the gain of pre-training is above 0.

    Args:
        gain: ``mean``, ``low`` and ``high`` of the mIoU of pre-training less that of another init,
            by that init and share.
    """
    parts = [
        f"{_interval(found, '+')} over {init} at {float(share):.0%} of the labels"
        + ("" if found["low"] > 0 else ", which is no gain that can be told from the spread")
        for init, shares in gain.items()
        for share, found in shares.items()
    ]
    if not parts:
        return (
            "No gain is told: it takes pretrain, another start, and at least three seeds "
            "(finetune.seeds)."
        )
    return f"mIoU of pretrain, paired by seed, with 95 % intervals: {'; '.join(parts)}."


HARDLY = 0.02
"""Mean IoU below which a benchmark's probes tell nothing of their bodies."""

Intervals = Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]
"""``mean``, ``low`` and ``high`` by features, body and share."""


def probes_table(miou: Intervals, gain: Intervals) -> Table:
    """Probes of frozen features, those with few labels first, the floors above.

    Args:
        miou: of each body.
        gain: over random weights; a body without it is what gains are told against.

    Returns:
        The table; without rows where the probes tell nothing.
    """
    if _best(miou) < HARDLY:
        return Table([], [])
    rows = [
        (features, float(share), body, share)
        for features, bodies in miou.items()
        for body, shares in bodies.items()
        for share in shares
    ]
    rows.sort(key=lambda row: (row[0] != "encoder", row[1]))
    cells = []
    for features, _, body, share in rows:
        found = gain[features].get(body, {}).get(share)
        cells.append(
            [
                features,
                f"{float(share):.0%}",
                body.replace("_", " "),
                _interval(miou[features][body][share], ""),
                _interval(found, "+") if found else "–",
            ]
        )
    return Table(["Features", "Labels", "Body", "mIoU", "Gain over scratch"], cells)


def _best(miou: Intervals) -> float:
    return max(found["mean"] for b in miou.values() for s in b.values() for found in s.values())


def _interval(found: Mapping[str, float], sign: str) -> str:
    mean, low, high = (f"{found[name]:{sign}.3f}" for name in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def probes_sentence(miou: Intervals, gain: Intervals, draws: int) -> str:
    """Where the interval of the gain of pre-training is above 0.

    Args:
        miou: as for ``probes_table``.
        gain: as for ``probes_table``.
        draws: of labelled tiles at each share.
    """
    if _best(miou) < HARDLY:
        return (
            f"No body tells the classes apart from so few labels (mIoU below {HARDLY}): most "
            "pixels are background, most draws lack a class. Nothing follows for pre-training."
        )
    surely: list[str] = []
    unsure: list[str] = []
    for features, bodies in gain.items():
        for share, found in bodies.get("pretrain", {}).items():
            told = f"{features} at {float(share):.0%} of the labels"
            (surely if found["low"] > 0 else unsure).append(told)
    if not surely + unsure:
        return "Pre-training was not probed, so there is no gain to tell."
    parts = [f"Pre-training helps in {', '.join(surely)}."] if surely else []
    parts += [f"No gain can be told from the spread in {', '.join(unsure)}."] if unsure else []
    return " ".join([*parts, f"Intervals: 95 %, {draws} draws of labelled tiles, paired."])


def values_table(values: Mapping[str, Any]) -> Table:
    """Every value of a metrics file by its dotted name; lists are left out, zeros a sentence."""
    found = dict(flat(values))
    zero = [name for name, value in found.items() if value == 0]
    rows = [[name, number(value)] for name, value in found.items() if name not in zero]
    return Table(["Measure", "Value"], rows, [f"Zero: {', '.join(zero)}."] if zero else [])
