"""Which masks are released, and how they are cleaned: values for each class, rows many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from samrs.core.errors import ParameterError, advice

DROP_REASONS = (
    "empty_mask",
    "difficult",
    "max_outside",
    "nothing_left",
    "min_area",
    "min_predicted_iou",
    "min_stability",
    "min_box_iou",
    "min_obb_iou",
    "max_parts",
    "min_quality",
)
SHARES = (
    "min_predicted_iou",
    "min_stability",
    "max_outside",
    "min_quality",
    "min_box_iou",
    "min_obb_iou",
    "max_hole",
    "min_part",
    "core",
)
"""Values of 0 to 1."""
OTHERS = {"min_area": "px", "max_parts": "parts", "margin": "of a box's sides"}
"""Values of 0 or more, and what of."""
NULL = ("max_parts", "margin")
"""Values that null leaves without a limit."""


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """How masks are cleaned, and what they must be to be released.

    Args:
        margin: masks are clipped to their box (``hbb``) grown by this share of its sides on every
            side, 0 or more; None: not clipped.
        max_hole: holes of up to this share of their mask are filled, 0-1.
        min_part: parts smaller than this share of their mask are left out, 0-1; the largest stays.
        core: parts with px in the box shrunk to this share of its sides stay, whatever their size,
            0-1; 0: no such exception.
        min_area: smallest mask kept, px. Empty masks are dropped whatever this says.
        min_predicted_iou: lowest predicted IoU kept, 0-1. Masks without that score pass.
        min_stability: lowest stability score kept, 0-1. Masks without that score pass.
        max_outside: largest share kept of a mask's px outside its box, before it is clipped, 0-1.
        min_box_iou: lowest IoU kept of the clean mask's box with the annotated one, 0-1.
        min_obb_iou: lowest IoU kept of the clean mask with its filled rotated box, 0-1. Instances
            without such a box pass.
        max_parts: most parts of a mask kept, None: any number.
        min_quality: lowest estimated IoU with the true mask kept, 0-1 (``release/quality.py``).
        keep_difficult: whether instances annotated as difficult are kept.
    """

    margin: float | None
    max_hole: float
    min_part: float
    core: float
    min_area: int
    min_predicted_iou: float
    min_stability: float
    max_outside: float
    min_box_iou: float
    min_obb_iou: float
    max_parts: int | None
    min_quality: float
    keep_difficult: bool

    def __post_init__(self) -> None:
        check_values("release", asdict(self))


NAMES = tuple(field.name for field in fields(Thresholds))
Values = Mapping[str, float | bool | None]


def for_classes(
    values: Thresholds, overrides: Mapping[str, Values], dataset: str, classes: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """The value of each parameter for each class, (C,) each; null is infinite.

    Args:
        values: of every class that has no others.
        overrides: other values, by ``<dataset>`` or ``<dataset>/<class>``; the latter go first.
        dataset: whose classes they are.
        classes: C names.

    Raises:
        ParameterError: a value is out of range or of a wrong type, its name or class unknown.
    """
    chosen = [asdict(values) for _ in classes]
    for key in sorted(overrides):  # a dataset stands before its classes
        check_values(f"release.overrides.{key}", overrides[key])
        name, _, one = key.partition("/")
        if name != dataset:
            continue
        if one and one not in classes:
            raise ParameterError(
                f"release.overrides.{key}: unknown class, got {one!r}; "
                f"{', '.join(classes)} are allowed; {advice(one, classes, 'correct it')}"
            )
        for place, class_name in enumerate(classes):
            if not one or one == class_name:
                chosen[place].update(overrides[key])
    return {
        name: np.array([np.inf if v[name] is None else v[name] for v in chosen], dtype=np.float64)
        for name in NAMES
    }


def check_values(where: str, values: Values) -> None:
    """Refuse values that are no numbers in their range.

    Args:
        where: the section they stand in, for the error.
        values: by parameter, any of NAMES.

    Raises:
        ParameterError: a value is out of range or of a wrong type, or its name unknown.
    """
    for name, value in values.items():
        if name not in NAMES:
            raise ParameterError(
                f"{where}: unknown parameter, got {name}; {', '.join(NAMES)} are allowed; "
                + advice(name, NAMES, "correct or remove it")
            )
        if name == "keep_difficult":
            allowed, fits = "true or false", isinstance(value, bool)
        elif name in NULL and value is None:
            continue
        else:
            most = 1 if name in SHARES else np.inf
            allowed = "0 to 1" if name in SHARES else f"0 {OTHERS[name]} or more"
            fits = isinstance(value, int | float) and not isinstance(value, bool)
            fits = fits and 0 <= float(value or 0) <= most
        if not fits:
            raise ParameterError(
                f"{where}.{name}: out of range, got {value}; {allowed} is allowed; correct it"
            )


def drop_reasons(
    stored: pa.Table, cleaned: pa.Table, limits: Mapping[str, NDArray[Any]]
) -> NDArray[np.int64]:
    """(N,) the place in DROP_REASONS of the first that applies to each row, or their number.

    A score that is null or NaN (the segmenter has none) fails no threshold.

    Args:
        stored: rows with the masks that were stored: how much of them is outside their box is what
            the segmenter answered, before anything was clipped.
        cleaned: the same rows with the masks to release.
        limits: a value for each row, (N,) each, by parameter.
    """
    scores = {
        name: cleaned[name].to_numpy()
        for name in ("area", "predicted_iou", "stability_score", "box_iou", "obb_iou",
                     "components", "quality")
    }  # fmt: skip
    difficult = pc.fill_null(cleaned["difficult"], False).to_numpy()
    failed = {
        "empty_mask": stored["area"].to_numpy() == 0,
        "difficult": difficult & (limits["keep_difficult"] == 0),
        "max_outside": stored["outside"].to_numpy() > limits["max_outside"],
        "nothing_left": scores["area"] == 0,
        "min_area": scores["area"] < limits["min_area"],
        "min_predicted_iou": scores["predicted_iou"] < limits["min_predicted_iou"],
        "min_stability": scores["stability_score"] < limits["min_stability"],
        "min_box_iou": scores["box_iou"] < limits["min_box_iou"],
        "min_obb_iou": scores["obb_iou"] < limits["min_obb_iou"],
        "max_parts": scores["components"] > limits["max_parts"],
        "min_quality": scores["quality"] < limits["min_quality"],
    }
    table = np.stack([failed[name] for name in DROP_REASONS] + [np.ones(len(stored), dtype=bool)])
    return np.asarray(np.argmax(table, axis=0))
