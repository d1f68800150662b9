"""Arrangements shared by the themes: rows, rafts, roads, parking lots, groves."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from samrs.scenes import exact, ground
from samrs.scenes.filters import blur
from samrs.scenes.palette import any_colour
from samrs.scenes.raster import fill
from samrs.scenes.sprite import Array, Sprite, box, ellipse, rotated
from samrs.scenes.structures import building, container, tree
from samrs.scenes.vehicles import car, lorry
from samrs.scenes.world import COVER, OBJECTS, ROADS, World

WHITE = np.array([0.88, 0.88, 0.86])
YELLOW = np.array([0.85, 0.68, 0.2])


def anywhere(world: World, border_m: float = 0.0) -> Array:
    """A random point in metres, at least `border_m` inside the scene (negative: outside)."""
    low = np.full(2, border_m)
    high = np.maximum(world.size_m - border_m, low + 1e-3)
    return world.rng.uniform(low, high)


def angle(rng: np.random.Generator) -> float:
    """Radians, uniform."""
    return float(rng.uniform(0, 2 * np.pi))


def offset(origin: Array, heading: float, x: float, y: float) -> Array:
    """The point x metres ahead and y metres to the right of an origin."""
    return np.asarray(rotated(np.array([[x, y]]), heading)[0] + origin)


def scatter(
    world: World,
    count: int,
    make: Callable[[float], Sprite],
    *,
    heading: float | None = None,
    margin: float = 1.0,
    border_m: float = 0.0,
    where: str | None = None,
) -> int:
    """Places up to `count` objects at free random points.

    Args:
        world: The scene.
        count: How many to try, before the scene's density.
        make: Builds a sprite for a heading in radians.
        heading: Common heading; None: each its own.
        margin: Free metres around each.
        border_m: Least distance in metres of centres to the scene's edge.
        where: Land cover a centre must lie on; None: any.

    Returns:
        How many were painted.
    """
    painted = 0
    for _ in range(round(count * world.density)):
        theta = angle(world.rng) if heading is None else heading
        at = anywhere(world, border_m)
        if where is not None and cover_at(world, at) != COVER[where]:
            continue
        if not world.is_free((at + box(0.5, 0.5)) / world.gsd):
            continue
        painted += bool(world.place(make(theta), at, theta, margin))
    return painted


def cover_at(world: World, at: Array) -> int:
    """Land cover at a point in metres, -1 outside the scene."""
    x, y = int(at[0] / world.gsd), int(at[1] / world.gsd)
    h, w = world.size_hw
    return int(world.cover[y, x]) if 0 <= x < w and 0 <= y < h else -1


def grove(
    world: World, count: int, *, radius: float | None = None, where: str | None = "low_vegetation"
) -> None:
    """Single trees, some in clumps, on land."""
    rng = world.rng
    centre = anywhere(world)
    for _ in range(round(count * world.density)):
        if rng.random() < 0.5:
            centre = anywhere(world)
        at = centre + rng.normal(0, 9, 2)
        if where is not None and cover_at(world, at) != COVER[where]:
            continue
        sprite = tree(world, radius)
        if world.is_free(world.footprint(sprite, at, 0.0, -0.3 * sprite.extent()[2])):
            world.paint(sprite, at, angle(rng))


def road(
    world: World, lines_m: Array | Sequence[Array], width: float, *, cars: float = 0.5
) -> None:
    """Roads along polylines with marks, pavements and traffic.

    Args:
        world: The scene.
        lines_m: (N, 2) metres, or several of them, which then share their looks.
        width: Metres.
        cars: Vehicles per ten metres of lane.
    """
    rng = world.rng
    several = [lines_m] if isinstance(lines_m, np.ndarray) else list(lines_m)
    lines = [line for line in several if _crosses(world, line, width)]
    if rng.random() < 0.5:
        pavement = width + rng.uniform(2, 5)
        surface = str(rng.choice(["concrete", "gravel", "dry"]))
        ground.lay(world, [ground.band(line, pavement) for line in lines], surface)
    surface = "asphalt" if rng.random() < 0.85 else "concrete"
    ground.lay(world, [ground.band(line, width) for line in lines], surface)
    _road_marks(world, lines, width)
    for line in lines:
        traffic(world, line, width, cars)
    for line in lines:
        for a, b in pairwise(line):
            world.reserve(ground.band(np.stack([a, b]), width + 1.0) / world.gsd, ROADS)


def _crosses(world: World, line: Array, width: float) -> bool:
    x0, y0, x1, y1 = world.clip(ground.band(line, width) / world.gsd)
    return x1 > x0 and y1 > y0


def _road_marks(world: World, lines: Sequence[Array], width: float) -> None:
    rng = world.rng
    mark = WHITE if rng.random() < 0.6 else YELLOW
    strength = float(rng.uniform(0.3, 0.95))
    if rng.random() < 0.8:
        dash = (3.0, 4.5) if rng.random() < 0.7 else None
        ground.marks(world, lines, 0.18, mark, strength=strength, dash_m=dash)
    if width > 11:
        lanes = [shifted(line, side * width) for line in lines for side in (-0.25, 0.25)]
        ground.marks(world, lanes, 0.15, WHITE, strength=strength, dash_m=(3, 6))
    if rng.random() < 0.5:
        edges = [shifted(line, side * width) for line in lines for side in (-0.46, 0.46)]
        ground.marks(world, edges, 0.15, WHITE, strength=strength)


def crossing(world: World, bend: float = 0.1, heading: float | None = None) -> Array:
    """(24, 2) metres of a gentle curve from edge to edge of the scene.

    Args:
        bend: spread of the curve's bend; 0 is straight.
        heading: None for a random one.
    """
    rng = world.rng
    theta = angle(rng) if heading is None else heading
    reach = exact.length(world.size_m) * exact.unit(theta)
    middle = anywhere(world)
    return ground.curve(middle - reach, middle + reach, rng.normal(0, bend))


def shifted(line_m: Array, side: float) -> Array:
    """A polyline moved `side` metres to its right."""
    along = np.gradient(np.asarray(line_m, float), axis=0)
    along /= exact.lengths(along)[:, None] + 1e-9
    return np.asarray(line_m + np.stack([-along[:, 1], along[:, 0]], 1) * side)


def traffic(world: World, line_m: Array, width: float, per_10m: float, parent: int = 0) -> None:
    """Vehicles on both sides of a road, each lane in its direction.

    Args:
        per_10m: vehicles a lane in ten metres, about.
        parent: id of the object that carries the road; 0 for none.
    """
    rng = world.rng
    if per_10m <= 0:
        return
    lanes = (
        [(-0.25, 1), (0.25, -1)] if width < 13 else [(-0.37, 1), (-0.13, 1), (0.13, -1), (0.37, -1)]
    )
    for side, way in lanes:
        path = shifted(line_m, -side * width)
        steps = exact.lengths(np.diff(path, axis=0))
        done = [0.0, *np.cumsum(steps).tolist()]
        s = rng.uniform(0, 20)
        while s < done[-1]:
            k = int(np.searchsorted(done[1:], s))
            if k < len(steps) and world.inside(
                path[k] + (path[k + 1] - path[k]) * 0.5, 12 + steps[k] / 2
            ):
                along = (path[k + 1] - path[k]) / max(steps[k], 1e-6)
                at = path[k] + along * (s - done[k])
                heading = exact.direction(along) + (0 if way > 0 else np.pi)
                sprite = car(rng) if rng.random() < 0.85 else lorry(rng)
                outline = world.footprint(sprite, at, heading, 0.2)
                free = world.inside(at, 8) and world.is_free(outline, OBJECTS)
                if free and world.paint(sprite, at, heading, parent):
                    world.reserve(outline)
            s += 6 + rng.exponential(10 / max(per_10m * world.density, 0.02))


def parking(
    world: World,
    centre: Array,
    heading: float,
    rows: int,
    stalls: int,
    *,
    full: float = 0.7,
    lorries: bool = False,
) -> None:
    """A lot of double rows of stalls with aisles, partly filled.

    Args:
        full: share of the stalls that are taken, about.
        lorries: whether it is one for lorries.
    """
    rng = world.rng
    pitch, depth, aisle = (
        (3.4, 16.0, 8.0) if lorries else (rng.uniform(2.4, 2.9), 5.2, rng.uniform(5.5, 7))
    )
    length = stalls * pitch
    step = depth + aisle / 2
    total = rows * step
    outline = rotated(box(length + 6, total + 6), heading) + centre
    if not world.is_free(outline / world.gsd):
        return
    ground.lay(world, outline, "asphalt" if rng.random() < 0.8 else "concrete")
    strength = float(rng.uniform(0.2, 0.95))
    skew = float(rng.choice([0.0, 0.0, rng.uniform(-0.5, 0.5)]))
    for row in range(rows):
        y = -total / 2 + (row + 0.5) * step + (aisle / 4 if row % 2 else -aisle / 4)
        nose = 1 if row % 2 else -1
        slots = (np.arange(stalls) + 0.5) * pitch - length / 2
        lot_full = full * rng.uniform(0.5, 1.3)
        lines = [
            rotated(np.array([[x, y - depth / 2], [x + skew * depth, y + depth / 2]]), heading)
            + centre
            for x in [*(slots - pitch / 2), length / 2]
        ]
        ground.marks(world, lines, 0.12, WHITE, strength=strength)
        for x in slots:
            at = (
                rotated(np.array([[x + skew * depth / 2, y + rng.normal(0, 0.25)]]), heading)[0]
                + centre
            )
            if rng.random() > lot_full or not world.inside(at, 8):
                continue
            way = (
                heading
                + np.pi / 2 * (nose if rng.random() < 0.8 else -nose)
                - exact.direction(np.array([1.0, skew]))
                + rng.normal(0, 0.025)
            )
            sprite = lorry(rng) if lorries else car(rng)
            world.place(sprite, at, way, 0.05)
    world.reserve(outline / world.gsd)


def blotches(world: World, count: int) -> None:
    """Stains, patches, painted lines and shadows of things unseen: what no label explains."""
    rng = world.rng
    for _ in range(count):
        at = anywhere(world)
        size = exact.exp(rng.uniform(exact.log(3.0), exact.log(120.0))) * world.gsd
        roll = rng.random()
        if roll < 0.35:
            ends = np.stack([at, at + rotated(np.array([[size * 2, 0]]), angle(rng))[0]])
            ground.marks(
                world,
                ground.curve(ends[0], ends[1], rng.normal(0, 0.15)),
                rng.uniform(0.1, 0.6),
                _mark_colour(rng),
                strength=rng.uniform(0.1, 0.7),
            )
            continue
        shape = (
            ellipse(size, size * rng.uniform(0.2, 1), n=14) * (1 + rng.normal(0, 0.12, (14, 1)))
            if roll < 0.7
            else box(size, size * rng.uniform(0.2, 1))
        )
        points = (rotated(shape, angle(rng)) + at) / world.gsd
        x0, y0, x1, y1 = world.clip(points, pad=2)
        if x1 <= x0 or y1 <= y0:
            continue
        alpha = np.zeros((y1 - y0, x1 - x0), np.uint8)
        fill(alpha, points - (x0, y0), 255, smooth=True)
        soft: Array = alpha.astype(np.float32) / 255
        if rng.random() < 0.5:
            soft = blur(soft, rng.uniform(0.6, 6))
        soft = soft * world.bare((x0, y0, x1, y1))
        light = np.float32(rng.uniform(0.65, 1.25))
        world.image[y0:y1, x0:x1] *= 1 + (light - 1) * soft[..., None]


def _mark_colour(rng: np.random.Generator) -> Array:
    return np.asarray(rng.choice([WHITE, YELLOW, np.array([0.15, 0.15, 0.15]), any_colour(rng)]))


def buildings(
    world: World,
    count: int,
    heading: float,
    size_m: tuple[float, float] = (10, 50),
    where: str | None = None,
) -> int:
    """Free-standing buildings aligned with a heading, now and then one that is not."""
    rng = world.rng

    def make(theta: float) -> Sprite:
        length = exact.exp(rng.uniform(exact.log(size_m[0]), exact.log(size_m[1])))
        return building(world, theta, length, length * rng.uniform(0.35, 1.0))

    turn = heading + (np.pi / 2) * int(rng.integers(4))
    return scatter(world, count, make, heading=turn, margin=2.0, where=where)


def yard(world: World, centre: Array, heading: float, length: float, width: float) -> None:
    """Stacks of containers and crates: clutter that is never annotated."""
    rng = world.rng
    for x in exact.spaced(-length / 2, length / 2, 13.0):
        for y in exact.spaced(-width / 2, width / 2, 2.7):
            if rng.random() < 0.75 and (round(y / 2.7) % 7):
                at = rotated(np.array([[x, y]]), heading)[0] + centre
                world.place(container(rng), at, heading, -0.1)
