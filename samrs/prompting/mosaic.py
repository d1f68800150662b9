"""Pieces of an image, magnified or turned, put together to pictures for a segmenter.

An encoder pass costs the same whatever is in a picture, so pieces share them: as in the mosaics of
SAHI's sliced inference (Akyon et al., arXiv:2202.06934), but only around instances, and many to a
picture. Where a model embeds a part of a picture at the cost of the part, a quarter or less is
filled and embedded: four quarters cost less than a whole, whose every px looks at all others. Masks
come back as logits, resampled, and are cut at 0 in the image's own px: nothing is drawn twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from samrs.core.geometry import clip_hbb, polygon_to_hbb
from samrs.prompting.soft_masks import BEYOND
from samrs.prompting.types import Answer, Boxes, Floats
from samrs.prompting.view import PART, SIDE, Asking, Image, View

CELLS = (1024, 512, 256, 128)
"""Sides of pieces in a picture, in px."""
REACH = 4
"""Px beyond a piece that cubic interpolation may look at: 2, and rounding."""
SHOWN = ((256, 256), (256, 512), (PART, PART), (SIDE, SIDE))
"""Rows and columns of a picture that are encoded alone."""
EMPTY = (124, 116, 104)
"""SAM's mean colour: what its encoder takes for nothing."""
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Piece:
    """A part of an image as it stands in a picture.

    Args:
        which: (K,) positions of the boxes asked about there.
        matrix: (2, 3) from xy in the image's px to the piece's.
        side: of the square piece, one of ``CELLS``.
    """

    which: NDArray[np.int64]
    matrix: Matrix
    side: int


def magnified(corner_xy: Sequence[float], scale: float) -> Matrix:
    """The matrix of the part from ``corner_xy``, in image px, on, ``scale`` times as large."""
    return np.array([[scale, 0, -scale * corner_xy[0]], [0, scale, -scale * corner_xy[1]]])


def upright(obb: Floats, scale: float, side: int) -> Matrix:
    """The matrix that brings a rotated box (4, 2) to the middle of a piece, its long side level.

    Args:
        scale: px of the piece in a px of the image.
    """
    edges = obb[[1, 2]] - obb[[0, 1]]
    long = edges[np.argmax(np.hypot(*edges.T))]
    cos, sin = scale * long / max(float(np.hypot(*long)), 1e-9)
    turn = np.array([[cos, sin], [-sin, cos]])
    return np.column_stack([turn, side / 2 - turn @ obb.mean(axis=0)])


def ask_in_pieces(
    inner: Asking, view: View, boxes: Boxes, pieces: Sequence[Piece]
) -> Iterator[Answer]:
    """Ask about the boxes of pieces there, and about the others in the image.

    Args:
        inner: how a piece, or the image, is asked about.
        pieces: a box is in one of them at most.
    """
    apart = np.zeros(len(boxes), dtype=bool)
    for piece in pieces:
        apart[piece.which] = True
    rest = boxes.take(~apart)
    in_image = inner.answers(view, rest) if len(rest) else iter(())
    in_pieces = dict(_ask(inner, view, boxes, pieces))
    for i, is_apart in enumerate(apart):
        yield in_pieces.pop(i) if is_apart else next(in_image)


def _ask(
    inner: Asking, view: View, boxes: Boxes, pieces: Sequence[Piece]
) -> Iterator[tuple[int, Answer]]:
    """Ask about pieces: (position of the box, its answer in image px)."""
    for picture in _pictures(pieces, view.part):
        shown = np.full((SIDE, SIDE, 3), EMPTY, np.uint8)
        for piece, x, y in picture:
            shown[y : y + piece.side, x : x + piece.side] = _cut(view.image, piece)
        own = _joined([_boxes_in(piece, x, y, boxes) for piece, x, y in picture])
        asked = [(i, piece, x, y) for piece, x, y in picture for i in piece.which.tolist()]
        answers = inner.answers(view.of(shown, _shown(picture, view.part)), own)
        for (i, piece, x, y), answer in zip(asked, answers, strict=True):
            yield i, _brought_back(answer, piece, x, y, boxes.size_hw)


def passes(pieces: Sequence[Piece], part: int) -> float:
    """Shares of an encoder pass that the pictures of pieces take.

    Args:
        part: side of what they share of a picture, px (``View.part``).
    """
    shown = (_shown(picture, part) for picture in _pictures(pieces, part))
    return sum(height * width for height, width in shown) / SIDE**2


def _pictures(pieces: Sequence[Piece], part: int) -> Iterator[list[tuple[Piece, int, int]]]:
    """Pieces with their corners xy, large ones first: sides that halve leave no gap. One larger
    than what they share has a picture of its own."""
    placed: list[tuple[Piece, int, int]] = []
    used = 0  # in cells of the smallest side, along a curve that keeps squares together
    least = CELLS[-1]
    for piece in sorted(pieces, key=lambda piece: -piece.side):
        size = (piece.side // least) ** 2
        if placed and used + size > (part // least) ** 2:
            yield placed
            placed, used = [], 0
        x, y = _along(used)
        placed.append((piece, x * least, y * least))
        used += size
    if placed:
        yield placed


def _shown(picture: Sequence[tuple[Piece, int, int]], part: int) -> tuple[int, int]:
    """Rows and columns that hold pieces: few sizes, since a GPU has its passes ready by size."""
    bottom = max(y + piece.side for piece, _, y in picture)
    right = max(x + piece.side for piece, x, _ in picture)
    sizes = SHOWN if part < SIDE else SHOWN[-1:]
    return next(size for size in sizes if bottom <= size[0] and right <= size[1])


def _along(place: int) -> tuple[int, int]:
    """Column and row of a place on the Z-order curve (Morton)."""
    x = y = 0
    for bit in range(8):
        x |= (place >> (2 * bit) & 1) << bit
        y |= (place >> (2 * bit + 1) & 1) << bit
    return x, y


def _cut(image: Image, piece: Piece) -> Image:
    size, matrix = (piece.side, piece.side), piece.matrix
    (a, b), (c, d) = matrix[:, :2].tolist()
    scale = math.sqrt(abs(a * d - b * c))
    if (times := int(1 / scale)) > 1:  # cubic looks at 4 px: the others would count for nothing
        matrix = np.column_stack([matrix[:, :2] * times, matrix[:, 2]])
        image = _reduced(image, times, matrix, piece.side)
    return np.asarray(
        cv2.warpAffine(
            image, _pixel_centres(matrix), size, flags=cv2.INTER_CUBIC, borderValue=EMPTY
        ),
        np.uint8,
    )


def _reduced(image: Image, times: int, matrix: Matrix, side: int) -> Image:
    """An image reduced so many times, black where a piece does not look.

    Args:
        matrix: of the piece, from the reduced image's px.
        side: of the piece.
    """
    height, width = image.shape[:2]
    size_wh = np.array([-(-width // times), -(-height // times)])
    corners = np.array([[0, 0], [side, 0], [side, side], [0, side]], dtype=np.float64)
    back = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
    hull = polygon_to_hbb(_mapped(corners, back))
    x0, y0 = np.clip(np.floor(hull[:2]) - REACH, 0, size_wh).astype(np.int64).tolist()
    x1, y1 = np.clip(np.ceil(hull[2:]) + REACH, 0, size_wh).astype(np.int64).tolist()
    found = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    if x0 < x1 and y0 < y1:
        part = image[y0 * times : y1 * times, x0 * times : x1 * times]
        found[y0:y1, x0:x1] = _means(part, times)
    return found


def _means(image: Image, times: int) -> Image:
    """An image (H, W, 3) reduced so many times by means of squares, its last px repeated."""
    height, width = image.shape[:2]
    beyond = ((0, -height % times), (0, -width % times), (0, 0))
    rows, columns = -(-height // times), -(-width // times)
    squares = np.pad(image, beyond, mode="edge").reshape(rows, times, columns, times, 3)
    area = times * times
    means: Image = ((squares.sum(axis=(1, 3), dtype=np.uint32) + area // 2) // area).astype(
        np.uint8
    )
    return means


def _pixel_centres(matrix: Matrix) -> Matrix:
    """A matrix for OpenCV, which counts from the middle of the first px."""
    shift = matrix[:, :2] @ np.array([0.5, 0.5]) - 0.5
    return np.column_stack([matrix[:, :2], matrix[:, 2] + shift])


def _mapped(points: Floats, matrix: Matrix) -> Floats:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def _boxes_in(piece: Piece, x: int, y: int, boxes: Boxes) -> Boxes:
    """The boxes asked about in a piece, in px of the picture it stands in."""
    part = boxes.take(piece.which)
    obb = _mapped(part.obb, piece.matrix)
    turned = abs(piece.matrix[0, 1]) > 0
    hbb = np.empty((len(part), 4))
    for i, box in enumerate(part.hbb):
        # a turned piece is made for the rotated box, which is upright in it
        corners = obb[i] if turned else _mapped(box.reshape(2, 2), piece.matrix)
        hbb[i] = clip_hbb(polygon_to_hbb(corners), (piece.side, piece.side))
    return Boxes(hbb + [x, y, x, y], obb + [x, y], (SIDE, SIDE))


def _joined(parts: Sequence[Boxes]) -> Boxes:
    hbb = np.concatenate([part.hbb for part in parts])
    return Boxes(hbb, np.concatenate([part.obb for part in parts]), parts[0].size_hw)


def _brought_back(answer: Answer, piece: Piece, x: int, y: int, size_hw: tuple[int, int]) -> Answer:
    """An answer about a picture, cut at its piece and resampled to the image's px."""
    height, width = answer.logits.shape
    left, top = max(answer.x0, x), max(answer.y0, y)
    right, bottom = min(answer.x0 + width, x + piece.side), min(answer.y0 + height, y + piece.side)
    gone = replace(answer, logits=np.zeros((0, 0), np.float32), x0=0, y0=0, frame_logits=None)
    if right <= left or bottom <= top:
        return gone
    seen = answer.logits[top - answer.y0 : bottom - answer.y0, left - answer.x0 : right - answer.x0]
    matrix = piece.matrix - np.array([[0, 0, left - x], [0, 0, top - y]])
    corners = np.array([[0, 0], [seen.shape[1], 0], seen.shape[::-1], [0, seen.shape[0]]])
    back = cv2.invertAffineTransform(matrix)
    hull = polygon_to_hbb(_mapped(corners.astype(np.float64), back))
    x0, y0 = (int(max(np.floor(v) - 1, 0)) for v in hull[:2])
    x1, y1 = (
        int(min(np.ceil(v) + 1, most)) for v, most in zip(hull[2:], size_hw[::-1], strict=True)
    )
    if x1 <= x0 or y1 <= y0:
        return gone
    matrix = np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ [x0, y0]])
    logits = cv2.warpAffine(
        np.ascontiguousarray(seen),
        _pixel_centres(matrix),
        (x1 - x0, y1 - y0),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderValue=BEYOND,
    )
    return replace(answer, logits=np.asarray(logits, np.float32), x0=x0, y0=y0, frame_logits=None)
