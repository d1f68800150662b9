"""Themes with water: open sea, port, marina, river."""

import numpy as np

from samrs.scenes import exact, ground, layout, ships, structures
from samrs.scenes.raster import fill
from samrs.scenes.sprite import Array, Part, Sprite, box, rect, rotated
from samrs.scenes.world import COVER, World

LAND = ("grass", "dry", "soil", "concrete", "asphalt", "sand", "forest")


def wake(world: World, at: Array, heading: float, length: float, width: float) -> None:
    """Foam behind a moving vessel: a bright fan that fades."""
    rng = world.rng
    run = length * rng.uniform(0.8, 4.0)
    spread = rng.uniform(0.06, 0.2)
    side = width * 0.5 + run * spread
    fan = np.array([[length * 0.4, -side], [length * 0.4, side], [-run, side], [-run, -side]])
    points = (rotated(fan, heading) + at) / world.gsd
    x0, y0, x1, y1 = world.clip(points, pad=2)
    if x1 <= x0 or y1 <= y0:
        return
    yy, xx = np.mgrid[y0:y1, x0:x1].astype(np.float32)
    dx, dy = xx * world.gsd - at[0], yy * world.gsd - at[1]
    ahead = exact.unit(heading)
    back = length * 0.4 - dx * ahead[0] - dy * ahead[1]
    across = np.abs(dy * ahead[0] - dx * ahead[1])
    fade = np.clip(1 - back / (run + length * 0.4), 0, 1)
    fade *= np.sqrt(fade) * (back > 0)
    soft = width * 0.12 + back * 0.02 + world.gsd
    churn = _bell(across / (width * 0.35 + soft)) * (back > length * 0.8)
    arms = _bell((across - width * 0.25 - back * spread) / soft) * rng.uniform(0.2, 0.8)
    foam = 0.7 + 0.4 * world.noise.crop((y1 - y0, x1 - x0), max(1.5, width * 0.3 / world.gsd))
    alpha = (churn + arms) * fade * np.clip(foam, 0, 1) * rng.uniform(0.3, 0.9)
    alpha = np.clip(alpha, 0, 1) * (world.cover[y0:y1, x0:x1] == COVER["water"])
    ground.blend_colour(world, alpha.astype(np.float32), (x0, y0), (0.85, 0.9, 0.9))


def _bell(x: Array) -> Array:
    return np.asarray(exact.exp(-x * x))


def _sail(world: World, size: str, moving: float) -> None:
    """One vessel on open water."""
    rng = world.rng
    if not world.wants("ship"):
        return
    sprite = ships.ship(rng, size)
    x0, y0, x1, y1 = sprite.extent()
    at, heading = layout.anywhere(world), layout.angle(rng)
    outline = world.footprint(sprite, at, heading, 3)
    corners = outline * world.gsd
    afloat = all(layout.cover_at(world, c) in (-1, COVER["water"]) for c in [*corners, at])
    if (y1 - y0) / world.gsd < 3 or not afloat or not world.is_free(outline):
        return
    if rng.random() < moving:
        wake(world, at, heading, x1 - x0, y1 - y0)
    world.place(sprite, at, heading, 3)


def open_sea(world: World) -> None:
    """Vessels with and without wake, now and then shallows, reef or surf."""
    rng = world.rng
    ground.cover_all(world, "water")
    if rng.random() < 0.3:
        ground.blend_surface(
            world, ground.patch_mask(world, 120, rng.uniform(0.05, 0.3)), (0, 0), "water"
        )
    if rng.random() < 0.35:
        ground.blend_surface(
            world,
            ground.patch_mask(world, 150, rng.uniform(0.03, 0.2)),
            (0, 0),
            str(rng.choice(LAND)),
        )
    size = str(rng.choice(["small", "large", "any"]))
    for _ in range(round(rng.integers(3, 30) * world.density)):
        _sail(world, size, 0.5)


def _shore(world: World, share: float, straight: bool) -> tuple[Array, float]:
    """Lays water beside land; returns a quay point and the heading along the quay, water right."""
    rng = world.rng
    heading = layout.angle(rng)
    diagonal = exact.length(world.size_m)
    right = rotated(np.array([[0.0, 1.0]]), heading)[0]
    along = rotated(np.array([[1.0, 0.0]]), heading)[0]
    point = world.size_m / 2 + right * diagonal * (0.5 - share) * 0.7
    t = np.linspace(-1, 1, 60)[:, None] * diagonal
    wiggle = (
        np.zeros((60, 1))
        if straight
        else rng.uniform(5, 25) * exact.sin(np.linspace(0, rng.uniform(3, 12), 60))[:, None]
    )
    edge = point + along * t + right * wiggle
    far = edge[::-1] + right * diagonal * 2
    ground.lay(world, np.concatenate([edge, far]), "water")
    if straight:
        quay = ground.band(edge - right * 4, 8)
        ground.lay(world, quay, "concrete")
        shadow = ground.band(edge + right * rng.uniform(0, 1.5), rng.uniform(1, 3))
        _soften(world, shadow, 0.6)
    elif rng.random() < 0.6:
        ground.lay(
            world, ground.band(edge, rng.uniform(2, 8)), str(rng.choice(["sand", "gravel", "soil"]))
        )
    return point, heading


def _soften(world: World, outline_m: Array, light: float) -> None:
    """Darkens a polygon, softly."""
    points = outline_m / world.gsd
    x0, y0, x1, y1 = world.clip(points, pad=2)
    if x1 <= x0 or y1 <= y0:
        return
    alpha = np.zeros((y1 - y0, x1 - x0), np.uint8)
    fill(alpha, points - (x0, y0), 255, smooth=True)
    soft = (alpha * world.bare((x0, y0, x1, y1))).astype(np.float32) / 255
    world.image[y0:y1, x0:x1] *= 1 - (1 - light) * soft[..., None]


def port(world: World) -> None:
    """A quay with ships alongside, some rafted, container yards, tanks, sheds."""
    rng = world.rng
    ground.cover_all(world, str(rng.choice(["concrete", "asphalt", "gravel", "soil"])))
    point, heading = _shore(world, rng.uniform(0.35, 0.7), True)
    diagonal = exact.length(world.size_m)
    s = -diagonal / 2 + rng.uniform(0, 40)
    size = str(rng.choice(["large", "large", "any"]))
    while s < diagonal / 2 and world.wants("ship"):
        s += _berth(world, point, heading, s, size)
    for _ in range(int(rng.integers(0, 6))):
        _sail(world, "any", 0.4)
    layout.blotches(world, int(rng.integers(2, 15)))
    inland = rotated(np.array([[0.0, -1.0]]), heading)[0]
    if rng.random() < 0.5:
        line = np.stack(
            [
                point + inland * 30 + s * rotated(np.array([[1.0, 0]]), heading)[0]
                for s in (-diagonal, diagonal)
            ]
        )
        layout.road(world, line, rng.uniform(7, 12), cars=0.4)
    for _ in range(int(rng.integers(0, 3))):
        at = (
            point
            + inland * rng.uniform(50, 120)
            + rotated(np.array([[rng.uniform(-100, 100), 0]]), heading)[0]
        )
        layout.yard(world, at, heading, rng.uniform(30, 80), rng.uniform(15, 30))
    if rng.random() < 0.5:
        colour = structures.tank_colour(rng)
        radius = rng.uniform(5, 20)
        for i in range(int(rng.integers(2, 5))):
            for j in range(int(rng.integers(1, 4))):
                at = (
                    point
                    + inland * (60 + j * radius * 2.5)
                    + rotated(np.array([[i * radius * 2.5, 0]]), heading)[0]
                )
                world.place(structures.tank(world, radius, colour), at, 0.0, 0.5)
    layout.buildings(world, int(rng.integers(3, 16)), heading, (10, 80), "impervious")
    layout.grove(world, 10)


def _berth(world: World, point: Array, heading: float, s: float, size: str) -> float:
    """Moors one to four vessels side by side at `s` metres along the quay; returns the step."""
    rng = world.rng
    lead = ships.ship(rng, size)
    back, _, front, _ = lead.extent()
    length = front - back
    out = 1.5
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        sprite = lead if out < 2 else (ships.ship(rng, "small") if rng.random() < 0.5 else lead)
        width = sprite.extent()[3] - sprite.extent()[1]
        at = point + rotated(np.array([[s + length / 2, out + width / 2]]), heading)[0]
        if rng.random() < 0.85:
            world.place(sprite, at, heading + np.pi * int(rng.integers(2)), -0.2)
        out += width + rng.uniform(0.3, 1.5)
    return length + rng.uniform(3, 60)


def marina(world: World) -> None:
    """Finger piers full of boats; each pier with its boats is a harbor."""
    rng = world.rng
    ground.cover_all(world, str(rng.choice(LAND)))
    point, heading = _shore(world, rng.uniform(0.55, 0.85), rng.random() < 0.5)
    diagonal = exact.length(world.size_m)
    slot = float(rng.choice([rng.uniform(2.8, 4.5), rng.uniform(4, 7)]))
    slot = max(slot, 5 * world.gsd)
    reach = slot * rng.uniform(2.1, 2.8)
    out = heading + np.pi / 2
    if world.wants("harbor"):
        pitch = reach * rng.uniform(2.5, 3.6)
        s = -diagonal / 2
        parallel = rng.random() < 0.35
        while s < diagonal / 2:
            if rng.random() < 0.85:
                offset = np.array([[s, rng.uniform(12, 40)]])
                root = point + rotated(offset, heading)[0]
                turn = heading if parallel else out
                length = rng.uniform(35, 130)
                harbor(world, root, turn + rng.normal(0, 0.02), length, slot)
            s += rng.uniform(90, 150) if parallel else pitch
    for _ in range(round(rng.integers(0, 20) * world.density)):
        _sail(world, "small", 0.3)
    layout.blotches(world, 5)
    layout.buildings(world, int(rng.integers(2, 12)), heading, (8, 40), "low_vegetation")
    layout.grove(world, 40)


def harbor(world: World, root: Array, heading: float, length: float, slot: float) -> None:
    """One pier with boats on both sides: the pier, its boats and the water between them.

    Args:
        slot: metres of pier for each boat.
    """
    rng = world.rng
    size = slot * rng.uniform(2.1, 2.7)
    pier = rng.uniform(1.6, 3.5)
    grey = np.array([0.68, 0.66, 0.62]) * rng.uniform(0.7, 1.3)
    both = rng.random() < 0.85
    low = -(pier / 2 + size) if both else -pier / 2
    outline = rect(-0.5, low, length + 0.5, pier / 2 + size)
    parts = [Part(outline, grey)]
    parts.append(
        Part(box(length, pier, length / 2), grey, 0.5, 0, False, cover=COVER["impervious"])
    )
    if rng.random() < 0.35:
        head = rect(length - pier, low, length, pier / 2 + size)
        parts.append(Part(head, grey, 0.5, 0, False, cover=COVER["impervious"]))
    finger = rng.random() < 0.6
    if finger:
        for x in exact.spaced(slot / 2, length, slot * int(rng.choice([1, 2]))):
            for y in ((-size * 0.8 - pier / 2, -pier / 2), (pier / 2, pier / 2 + size * 0.8)):
                if both or y[0] > 0:
                    parts.append(
                        Part(
                            rect(x - 0.35, y[0], x + 0.35, y[1]),
                            grey,
                            0.5,
                            0,
                            False,
                            cover=COVER["impervious"],
                        )
                    )
    sprite = Sprite("harbor", parts, None, ((0.04, 2.0),), casts=False, ghost=True)
    footprint = world.footprint(sprite, root, heading, 0.5)
    afloat = [layout.cover_at(world, c * world.gsd) in (-1, COVER["water"]) for c in footprint]
    if not all(afloat) or not world.is_free(footprint):
        return
    number = world.paint(sprite, root, heading)
    if not number:
        return
    for side in (-1, 1) if both else (1,):
        for x in exact.spaced(slot, length, slot):
            if rng.random() < 0.88:
                long = size * rng.uniform(0.75, 1.0)
                at = root + rotated(np.array([[x, side * (pier / 2 + long / 2)]]), heading)[0]
                turn = heading + np.pi / 2 * side * (1 if rng.random() < 0.7 else -1)
                world.place(
                    ships.boat(rng, long), at, turn + rng.normal(0, 0.03), -0.1, parent=number
                )
    world.reserve(footprint)


def river(world: World) -> None:
    """A river through town or country, crossed by bridges."""
    rng = world.rng
    ground.cover_all(world, str(rng.choice(LAND)))
    ground.blend_surface(world, ground.patch_mask(world, 60, 0.3), (0, 0), str(rng.choice(LAND)))
    diagonal = exact.length(world.size_m)
    heading = layout.angle(rng)
    along = rotated(np.array([[1.0, 0]]), heading)[0]
    middle = world.size_m / 2 + rng.normal(0, 0.1, 2) * world.size_m
    width = float(np.clip(rng.uniform(0.12, 0.5) * world.size_m.min(), 12, 160))
    line = ground.curve(
        middle - along * diagonal, middle + along * diagonal, rng.normal(0, 0.05), 40
    )
    ground.lay(
        world,
        ground.band(line, width * 1.1),
        str(rng.choice(["soil", "concrete", "grass", "forest", "gravel"])),
    )
    ground.lay(world, ground.band(line, width), "water")
    across = heading + np.pi / 2
    offsets = [rng.uniform(-0.35, 0.35) * diagonal for _ in range(int(rng.integers(1, 4)))]
    for s in offsets:
        k = int(np.clip(20 + s / (2 * diagonal) * 40, 1, 38))
        bridge(world, line[k], across + rng.normal(0, 0.15), width, diagonal)
    world.reserve(ground.band(line[::4], width) / world.gsd)
    for _ in range(int(rng.integers(0, 6))):
        _sail(world, "small", 0.4)
    layout.blotches(world, int(rng.integers(2, 15)))
    layout.buildings(world, int(rng.integers(3, 30)), heading, (8, 50))
    layout.grove(world, 60, where=None)


def _colour_of(world: World, outline_m: Array) -> Array:
    """Mean colour of what lies in a polygon of metres; grey where that is outside the scene."""
    points = outline_m / world.gsd
    x0, y0, x1, y1 = world.clip(points)
    if x1 <= x0 or y1 <= y0:
        return np.full(3, 0.5)
    mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
    fill(mask, points - (x0, y0), 1)
    seen = np.rint(world.image[y0:y1, x0:x1][mask > 0] * 4096).astype(np.int64)
    return seen.sum(0) / (4096 * len(seen)) if len(seen) else np.full(3, 0.5)


def bridge(world: World, centre: Array, heading: float, span: float, reach: float) -> None:
    """A road across water; the object is the deck between the banks, cars included.

    Args:
        span: metres from bank to bank, about.
        reach: metres of road to either side of the centre.
    """
    rng = world.rng
    if not world.wants("bridge"):
        return
    width = rng.uniform(5, 26)
    far = rotated(np.array([[-reach, 0], [reach, 0]]), heading) + centre
    if not world.is_free(
        ground.band(rotated(np.array([[-span, 0], [span, 0]]), heading) + centre, width + 4)
        / world.gsd
    ):
        return
    length = span * rng.uniform(1.04, 1.3) / max(abs(exact.cos(rng.normal(0, 0.1))), 0.7)
    a, b, z = length / 2, width / 2 + rng.uniform(0.3, 1.5), rng.uniform(3, 14)
    probe = Sprite("bridge", [Part(box(length * 1.02, 2 * b + 1), (0, 0, 0), z, z - 2)])
    if not world.shows(probe, centre, heading):
        return
    layout.road(world, far, width, cars=0)
    deck = np.ones(3) * rng.uniform(0.32, 0.78) + rng.normal(0, 0.02, 3)
    if rng.random() < 0.65:
        deck = _colour_of(world, ground.band(far, width * 0.6)) * rng.uniform(0.92, 1.12)
    parts = [Part(box(length, 2 * b), deck, z, max(0.0, z - 2), wall=deck * 0.6)]
    rail = deck * rng.uniform(0.6, 1.5)
    for side in (-1, 1):
        parts.append(
            Part(
                np.array([[-a, side * b * 0.96], [a, side * b * 0.96]]), rail, z, z, False, line=0.6
            )
        )
    white = np.ones(3) * 0.85
    if rng.random() < 0.7:
        for x in exact.spaced(-a, a, 8):
            parts.append(Part(np.array([[x, 0], [x + 4, 0]]), white, z, z, False, line=0.2))
    if rng.random() < 0.2:
        for x in exact.spaced(-a, a, rng.uniform(4, 8)):
            parts.append(Part(np.array([[x, -b], [x, b]]), rail, z, z, False, line=0.5))
    sprite = Sprite("bridge", parts, COVER["impervious"], ((0.04, 6.0), (0.03, 0.7)))
    lean = world.lean_m
    world.lean_m = lean * 0.2
    number = world.paint(sprite, centre, heading)
    world.lean_m = lean
    if number:
        layout.traffic(world, far, width, rng.uniform(0, 0.5), parent=number)
    world.reserve(ground.band(far, width + 3) / world.gsd)
