"""Objects drawn as several shapes: which shapes of an image are one object."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import replace

import numpy as np

from samrs.core.records import Annotation
from samrs.core.rle import rle_union


def join_groups(shapes: Iterable[tuple[Annotation, Hashable | None]]) -> list[Annotation]:
    """One annotation for all shapes of a category and a group, in the order of their first shape.

    So labelme and CVAT export them themselves: parts of an object that something covers are drawn
    apart, with one number of a group. The box is the hull of all, the true mask their union where
    every shape has one.

    Args:
        shapes: annotations of one image, each with its group; None for a shape that stands alone.
    """
    members: dict[tuple[str, Hashable], list[Annotation]] = {}
    for annotation, group in shapes:
        alone = ("alone", annotation.ordinal)
        key = (annotation.category, alone if group is None else ("group", group))
        members.setdefault(key, []).append(annotation)
    return [parts[0] if len(parts) == 1 else _joined(parts) for parts in members.values()]


def _joined(parts: list[Annotation]) -> Annotation:
    hbbs = np.stack([part.hbb for part in parts])
    masks = [part.truth for part in parts if part.truth is not None]
    whole = len(masks) == len(parts) and all(mask["size"] == masks[0]["size"] for mask in masks)
    return replace(
        parts[0],
        hbb=np.concatenate([hbbs[:, :2].min(axis=0), hbbs[:, 2:].max(axis=0)]),
        obb=None,
        truth=rle_union(masks) if whole else None,
        difficult=any(part.difficult for part in parts),
    )
