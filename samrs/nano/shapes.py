"""Random things on random ground: what nano sees besides the procedural scenes.

Scenes teach what aerial images look like; these teach that *whatever* fills the box is the thing:
outlines, colours and textures are drawn far wider than any scene's (domain randomisation). Nothing
here comes from a photograph.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Ids = NDArray[np.int16]
Points = NDArray[np.float64]
Rng = np.random.Generator
SUPER = 4
"""Outlines are filled this many times larger, so that their coverage is exact to 1/8 px."""


def draw_ground(rng: Rng, size: int) -> Image:
    """(size, size, 3) uint8: fields, noise of several scales, and a few roads."""
    ground = _texture(rng, size)
    for _ in range(rng.integers(0, 4)):
        cut = _half_plane(rng, size)
        ground = np.where(cut[..., None], _texture(rng, size), ground)
    canvas = np.clip(ground, 0, 255).astype(np.uint8)
    for _ in range(rng.integers(0, 4)):
        ends = rng.uniform(-0.2, 1.2, (2, 2)) * size
        colour = tuple(float(v) for v in _colour(rng))
        a, b = (tuple(int(v) for v in end) for end in ends)
        cv2.line(canvas, a, b, colour, int(rng.integers(1, max(2, size // 10))), cv2.LINE_AA)
    return canvas


def paste_shapes(rng: Rng, image: Image, ids: Ids, count: int, least: float = 6) -> None:
    """Draws up to `count` rows of shapes onto `image` and their new ids into `ids`, in place.

    Args:
        image: (H, W, 3).
        ids: (H, W), 0 where there is no instance; a later shape hides an earlier one.
        least: px, their smallest length.
    """
    for _ in range(count):
        low, high = math.log(least), math.log(0.6 * image.shape[0])
        length = math.exp(rng.uniform(low, high))
        parts = OUTLINES[rng.integers(len(OUTLINES))](rng)
        turn = rng.uniform(0, 2 * math.pi)
        style = rng.integers(2**32)
        centre = rng.uniform(-0.05, 1.05, 2) * image.shape[0]
        in_row = int(rng.integers(2, 7)) if rng.random() < 0.35 and length < 60 else 1
        step = np.array([-math.sin(turn), math.cos(turn)]) * length * rng.uniform(0.35, 1.1)
        for place in range(in_row):
            look = np.random.default_rng(style if rng.random() < 0.5 else rng.integers(2**32))
            _paste(look, image, ids, _placed(parts, length, turn, centre + place * step))


def _paste(rng: Rng, image: Image, ids: Ids, parts: list[Points]) -> None:
    every = np.concatenate(parts)
    reach = 0.25 * float(np.ptp(every, axis=0).max()) + 3
    x0, y0 = np.floor(every.min(0) - reach).astype(int).clip(0)
    x1, y1 = np.minimum(np.ceil(every.max(0) + reach).astype(int), image.shape[1::-1])
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    size = (int(y1 - y0), int(x1 - x0))
    cover = [_cover(part - (x0, y0), size) for part in parts]
    whole = np.maximum.reduce(cover)
    window = image[y0:y1, x0:x1]
    under = window.astype(np.float32)
    if rng.random() < 0.5:
        under *= _shadow(rng, whole, reach)[..., None]
    over = _paint(rng, cover, under)
    if rng.random() < 0.1:
        over = 0.65 * over + 0.35 * under
    mixed = under + (over - under) * whole[..., None]
    window[:] = np.clip(mixed, 0, 255).astype(np.uint8)
    ids[y0:y1, x0:x1][whole > 0.5] = int(ids.max()) + 1


def _paint(rng: Rng, cover: list[NDArray[np.float32]], under: NDArray[np.float32]) -> Points:
    """The colours of one thing, (h, w, 3): one coat, shaded parts, details."""
    size = under.shape[:2]
    coat = _colour(rng)
    if rng.random() < 0.15:
        coat = under.mean((0, 1)) + rng.normal(0, 22, 3)
    colours = np.broadcast_to(coat, (*size, 3)).astype(np.float64)
    if rng.random() < 0.35:
        colours = _texture(rng, max(size), coat)[: size[0], : size[1]]
    spread = rng.choice([0, 8, 40])
    own = rng.random() < 0.25
    for part in cover[1:]:
        if own:
            coat = _texture(rng, max(size))[: size[0], : size[1]]
            colours = colours + (coat - colours) * part[..., None]
        else:
            colours = colours + part[..., None] * rng.normal(0, spread + 1e-6, 3)
    if rng.random() < 0.5:
        along = np.linspace(-1, 1, size[1])[None, :] * rng.normal(0, 25)
        down = np.linspace(-1, 1, size[0])[:, None] * rng.normal(0, 25)
        colours = colours + (along + down)[..., None]
    details = np.zeros((*size, 3), np.uint8)
    drawn = np.zeros(size, np.uint8)
    for _ in range(rng.integers(0, 5)):
        a, b = ((int(rng.integers(size[1])), int(rng.integers(size[0]))) for _ in range(2))
        colour = tuple(float(v) for v in _colour(rng))
        for canvas, value in ((details, colour), (drawn, (255.0,))):
            cv2.line(canvas, a, b, value, max(1, min(size) // 14))
    return np.where(drawn[..., None] > 0, details, colours)


def _shadow(rng: Rng, whole: NDArray[np.float32], reach: float) -> NDArray[np.float32]:
    angle, far = rng.uniform(0, 2 * math.pi), rng.uniform(0.1, 1.0) * reach
    move = np.array([[1, 0, far * math.cos(angle)], [0, 1, far * math.sin(angle)]])
    cast = cv2.warpAffine(whole, move, whole.shape[::-1])
    cast = cv2.GaussianBlur(cast, (0, 0), 0.3 + 0.05 * far)
    return np.asarray(1 - rng.uniform(0.2, 0.75) * cast, np.float32)


def _cover(part: Points, size: tuple[int, int]) -> NDArray[np.float32]:
    """(h, w) in [0, 1]: how much of each pixel a polygon covers."""
    canvas = np.zeros((size[0] * SUPER, size[1] * SUPER), np.uint8)
    corners = np.round((part * SUPER - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(canvas, [corners], (255.0,), shift=4)
    small = cv2.resize(canvas, size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(small / 255, np.float32)


def _placed(parts: list[Points], length: float, turn: float, centre: Points) -> list[Points]:
    cos, sin = math.cos(turn), math.sin(turn)
    matrix = np.array([[cos, sin], [-sin, cos]]) * length
    return [part @ matrix + centre for part in parts]


def _colour(rng: Rng) -> Points:
    grey = rng.uniform(20, 250)
    return np.asarray(np.clip(grey + rng.normal(0, rng.choice([5, 20, 60]), 3), 0, 255))


def _texture(rng: Rng, size: int, mean: Points | None = None) -> Points:
    """(size, size, 3) float: a colour with noise of several scales, sometimes stripes."""
    out = np.broadcast_to(_colour(rng) if mean is None else mean, (size, size, 3)).copy()
    for cells in (3, 8, 24, 80):
        if cells < size and rng.random() < 0.7:
            colours = 1 if rng.random() < 0.6 else 3
            noise = rng.normal(0, rng.uniform(2, 25), (cells, cells, colours)).astype(np.float32)
            large = cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
            out += large.reshape(size, size, colours)
    out += rng.normal(0, rng.uniform(0, 10), (size, size, 1))
    if rng.random() < 0.15:
        angle, wave = rng.uniform(0, math.pi), rng.uniform(3, 40)
        rows, columns = np.mgrid[:size, :size]
        phase = (rows * math.sin(angle) + columns * math.cos(angle)) * 2 * math.pi / wave
        out += (np.sin(phase) * rng.uniform(3, 25))[..., None]
    return out


def _half_plane(rng: Rng, size: int) -> NDArray[np.bool_]:
    angle = rng.uniform(0, 2 * math.pi)
    rows, columns = np.mgrid[:size, :size] - size / 2
    side = rows * math.sin(angle) + columns * math.cos(angle)
    return np.asarray(side > rng.uniform(-0.5, 0.5) * size)


# Outlines: lists of polygons in a unit frame, the thing's length along x; the mask is their union.


def _rectangle(rng: Rng) -> list[Points]:
    w = rng.uniform(0.08, 0.5)
    body = np.array([[-0.5, -w], [0.5, -w], [0.5, w], [-0.5, w]])
    cab = np.array([[0.2, -0.8 * w], [0.45, -0.8 * w], [0.45, 0.8 * w], [0.2, 0.8 * w]])
    return [body, cab][: rng.integers(1, 3)]


def _ellipse(rng: Rng) -> list[Points]:
    turn = np.linspace(0, 2 * math.pi, 40, endpoint=False)
    ratio = 1.0 if rng.random() < 0.6 else rng.uniform(0.4, 1)
    outer = np.stack([0.5 * np.cos(turn), 0.5 * ratio * np.sin(turn)], 1)
    return [outer, outer * rng.uniform(0.3, 0.9)][: rng.integers(1, 3)]


def _capsule(rng: Rng) -> list[Points]:
    """Alone, or as a stadium with a smaller one inside and a pitch in that."""
    w = rng.uniform(0.1, 0.4)
    turn = np.linspace(-math.pi / 2, math.pi / 2, 16)
    right = np.stack([0.5 - w + w * np.cos(turn), w * np.sin(turn)], 1)
    outer = np.concatenate([right, -right])
    rim = rng.uniform(0.1, 0.4) * w
    inner = outer * (1 - 2 * rim, 1 - rim / w)
    a, b = 0.5 - w, 0.8 * (w - rim)
    pitch = np.array([[-a, -b], [a, -b], [a, b], [-a, b]])
    return [outer, inner, pitch][: rng.integers(1, 4)]


def _hull(rng: Rng) -> list[Points]:
    w, bow, stern = rng.uniform(0.06, 0.2), rng.uniform(0.1, 0.6), rng.uniform(0.4, 1)
    side = np.linspace(0, 1, 8)
    top = np.stack([0.5 - bow * (1 - side), w * np.sqrt(1 - side**2)], 1)
    half = np.concatenate([[[-0.5, w * stern]], [[-0.3, w]], top])
    deck = np.array([[-0.4, -0.6 * w], [-0.1, -0.6 * w], [-0.1, 0.6 * w], [-0.4, 0.6 * w]])
    return [np.concatenate([half, half[::-1] * (1, -1)]), deck][: rng.integers(1, 3)]


def _cross(rng: Rng) -> list[Points]:
    """An aircraft: fuselage, swept wings, tailplane, sometimes engines."""
    w = rng.uniform(0.03, 0.08)
    nose = rng.uniform(0.05, 0.2)
    body = np.array([[-0.5, 0.3 * w], [-0.3, w], [0.5 - nose, w], [0.5, 0.1 * w]])
    root, sweep, span = rng.uniform(-0.05, 0.2), rng.uniform(0, 0.45), rng.uniform(0.3, 0.6)
    chord, tip = rng.uniform(0.1, 0.3), rng.uniform(0.02, 0.12)
    wing = np.array(
        [[root, 0], [root - sweep, span], [root - sweep - tip, span], [root - chord, 0]]
    )
    small = rng.uniform(0.25, 0.5)
    tail = wing * (small, small) + (-0.38 + 0.1 * small - root * small, 0)
    parts = [np.concatenate([body, body[::-1] * (1, -1)])]
    parts += [wing, wing * (1, -1), tail, tail * (1, -1)]
    if rng.random() < 0.5:
        at = rng.uniform(0.25, 0.6)
        centre = np.array([root - sweep * at + 0.03, span * at])
        pod = np.array([[-0.06, -0.02], [0.05, -0.02], [0.05, 0.02], [-0.06, 0.02]]) + centre
        parts += [pod, pod * (1, -1)]
    return parts


def _star(rng: Rng) -> list[Points]:
    count = int(rng.integers(3, 11))
    turn = np.sort(rng.uniform(0, 2 * math.pi, count))
    radius = rng.uniform(0.15, 0.5, count)
    return [np.stack([radius * np.cos(turn), radius * np.sin(turn)], 1)]


def _fan(rng: Rng) -> list[Points]:
    turn = np.linspace(-math.pi / 4, math.pi / 4, 20)
    arc = np.stack([np.cos(turn), np.sin(turn)], 1) * rng.uniform(0.85, 1.0)
    outer = np.concatenate([[[0.0, 0.0]], arc]) - (0.5, 0)
    inner = outer * rng.uniform(0.4, 0.8) - (0.1, 0)
    return [outer, inner]


def _angled(rng: Rng) -> list[Points]:
    """An L, T or U of bars: buildings, piers."""
    w = rng.uniform(0.06, 0.2)
    bar = np.array([[-0.5, -w], [0.5, -w], [0.5, w], [-0.5, w]])
    parts = [bar]
    for _ in range(rng.integers(1, 4)):
        at, long = rng.uniform(-0.5 + w, 0.5 - w), rng.uniform(0.2, 0.6)
        side = rng.choice([-1.0, 1.0])
        parts.append(
            np.array([[at - w, 0], [at + w, 0], [at + w, side * long], [at - w, side * long]])
        )
    return parts


OUTLINES = (
    _rectangle, _rectangle, _ellipse, _ellipse, _capsule, _hull, _hull,
    _cross, _cross, _cross, _star, _fan, _angled,
)  # fmt: skip
