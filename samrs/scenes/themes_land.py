"""Themes on land: city, street, residential, parking lot, countryside."""

from itertools import pairwise

import numpy as np

from samrs.scenes import exact, ground, layout, structures, vehicles
from samrs.scenes.courts import tennis_court
from samrs.scenes.sprite import Array, Part, Sprite, box, ellipse, rotated, rounded
from samrs.scenes.world import COVER, World


def _grid(world: World, heading: float, block: float, width: float, cars: float) -> list[Array]:
    """Lays crossing streets; returns the block centres."""
    rng = world.rng
    diagonal = exact.length(world.size_m)
    middle = world.size_m / 2 + rng.uniform(-0.5, 0.5, 2) * block
    count = int(diagonal / block / 2) + 1
    lines = []
    for turn in (0.0, np.pi / 2):
        for k in range(-count, count + 1):
            line = np.array([[-diagonal, (k + 0.5) * block], [diagonal, (k + 0.5) * block]])
            lines.append(rotated(line, heading + turn) + middle)
    for half in (lines[::2], lines[1::2]):
        layout.road(world, half, width, cars=0)
    for line in lines:
        layout.traffic(world, line, width, cars)
    spots = [
        (i * block, j * block) for i in range(-count, count + 1) for j in range(-count, count + 1)
    ]
    return [rotated(np.array([spot]), heading)[0] + middle for spot in spots]


def city(world: World) -> None:
    """Street grid with blocks of buildings, car parks, small parks."""
    rng = world.rng
    heading = layout.angle(rng)
    ground.cover_all(world, str(rng.choice(["concrete", "asphalt", "gravel", "dry", "grass"])))
    layout.blotches(world, int(rng.integers(4, 25)))
    block = rng.uniform(45, 110)
    width = rng.uniform(7, 16)
    if world.wants("roundabout") and rng.random() < 0.4:
        roundabout(world, layout.anywhere(world, 10), heading)
    for centre in _grid(world, heading, block, width, rng.uniform(0.1, 0.9)):
        if np.any(centre < -block) or np.any(centre > world.size_m + block):
            continue
        use = rng.random()
        inner = block - width - 6
        if use < 0.2:
            layout.parking(
                world,
                centre,
                heading,
                max(1, int(inner / 9)),
                max(3, int(inner / 2.7)),
                full=rng.uniform(0.2, 1),
            )
        elif use < 0.35:
            ground.lay(world, rotated(box(inner, inner), heading) + centre, "grass")
        else:
            if rng.random() < 0.5:
                ground.lay(
                    world,
                    rotated(box(inner, inner), heading) + centre,
                    str(rng.choice(["grass", "concrete", "asphalt"])),
                )
            _block(world, centre, heading, inner)
    layout.scatter(world, 15, lambda t: vehicles.car(rng), heading=heading, margin=0.5)
    layout.grove(world, int(rng.integers(5, 60)))
    layout.grove(world, int(rng.integers(0, 25)), where=None, radius=rng.uniform(1.5, 3.5))


def _block(world: World, centre: Array, heading: float, inner: float) -> None:
    rng = world.rng
    parts = int(rng.integers(1, 4))
    cell = inner / parts
    height = float(rng.choice([rng.uniform(5, 15), rng.uniform(15, 50)], p=[0.75, 0.25]))
    for i in range(parts):
        for j in range(parts):
            offset = np.array([[(i - (parts - 1) / 2) * cell, (j - (parts - 1) / 2) * cell]])
            at = rotated(offset, heading)[0] + centre
            if rng.random() < 0.85:
                size = cell * rng.uniform(0.5, 0.95, 2)
                world.place(
                    structures.building(
                        world, heading, size[0], size[1], height * rng.uniform(0.6, 1.2)
                    ),
                    at,
                    heading,
                    0.2,
                )


def street(world: World) -> None:
    """A close view of a street: cars as large as they get, kerbs, roofs, crowns."""
    rng = world.rng
    world.infrared = 0.4
    heading = layout.angle(rng)
    ground.cover_all(
        world, str(rng.choice(["grass", "dry", "concrete", "asphalt", "soil", "gravel"]))
    )
    ground.blend_surface(
        world,
        ground.patch_mask(world, 12, rng.uniform(0.1, 0.4)),
        (0, 0),
        str(rng.choice(["grass", "gravel", "concrete", "soil"])),
    )
    layout.blotches(world, int(rng.integers(4, 20)))
    diagonal = exact.length(world.size_m)
    width = rng.uniform(6, 12)
    for turn in (0.0, np.pi / 2)[: int(rng.integers(1, 3))]:
        middle = world.size_m * rng.uniform(0.2, 0.8, 2)
        along = rotated(np.array([[1.0, 0.0]]), heading + turn)[0]
        line = ground.curve(
            middle - along * diagonal, middle + along * diagonal, rng.normal(0, 0.03), 30
        )
        layout.road(world, line, width, cars=rng.uniform(0.2, 1.2))
        _kerb_cars(world, line, width)
    if rng.random() < 0.5:
        layout.parking(
            world,
            layout.anywhere(world),
            heading,
            int(rng.integers(1, 4)),
            int(rng.integers(4, 14)),
            full=0.8,
        )
    layout.scatter(world, 8, lambda t: vehicles.car(rng), margin=0.4)
    layout.buildings(world, int(rng.integers(3, 16)), heading, (7, 25))
    layout.grove(world, int(rng.integers(5, 40)), where=None)


def _kerb_cars(world: World, line: Array, width: float) -> None:
    rng = world.rng
    for side in (-1, 1):
        path = layout.shifted(line, side * (width / 2 + 1.1))
        for a, b in pairwise(path):
            if not world.inside((a + b) / 2, exact.length(b - a)):
                continue
            along = (b - a) / (exact.length(b - a) + 1e-9)
            way = exact.direction(along)
            for s in exact.spaced(0, exact.length(b - a), 5.8):
                if rng.random() < 0.4:
                    world.place(vehicles.car(rng), a + along * s, way + rng.choice([0, np.pi]), 0.1)


def pool(rng: np.random.Generator) -> Sprite:
    """A swimming pool: rectangle, kidney or round, seen up to the water's edge."""
    length, width = rng.uniform(6, 14), rng.uniform(3.5, 6.5)
    if rng.random() < 0.1:
        length, width = rng.uniform(20, 50), rng.uniform(10, 21)
    style = rng.random()
    if style < 0.45:
        shape = rounded(-length / 2, -width / 2, length / 2, width / 2, rng.uniform(0.1, 1.2))
    elif style < 0.7:
        shape = ellipse(length / 2, width / 2)
    else:
        t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        r = 1 + 0.22 * exact.cos(2 * t + rng.uniform(0, 1)) + 0.12 * exact.sin(t * 3)
        shape = np.stack([length / 2 * r * exact.cos(t), width / 2 * r * exact.sin(t)], 1) * 0.85
    blue = (
        np.array([(90, 180, 200), (60, 150, 190), (120, 200, 210), (70, 140, 150), (40, 90, 120)])[
            rng.integers(5)
        ]
        / 255
    )
    blue = blue * rng.uniform(0.8, 1.15)
    parts = [Part(shape, blue), Part(shape * 0.7, blue * 0.92, solid=False)]
    if length > 20:
        for y in np.linspace(-width * 0.4, width * 0.4, 7):
            parts.append(
                Part(
                    np.array([[-length / 2, y], [length / 2, y]]),
                    (0.9, 0.9, 0.9),
                    solid=False,
                    line=0.2,
                )
            )
    return Sprite("swimming_pool", parts, COVER["water"], ((0.05, 1.5), (0.04, 0.4)), casts=False)


def residential(world: World) -> None:
    """Winding streets, houses in gardens, pools, trees."""
    rng = world.rng
    heading = layout.angle(rng)
    ground.cover_all(world, str(rng.choice(["grass", "grass", "dry"])))
    ground.blend_surface(
        world,
        ground.patch_mask(world, 15, rng.uniform(0.1, 0.4)),
        (0, 0),
        str(rng.choice(["dry", "grass", "soil", "forest"])),
    )
    diagonal = exact.length(world.size_m)
    along = rotated(np.array([[1.0, 0.0]]), heading)[0]
    right = np.array([-along[1], along[0]])
    gap = rng.uniform(50, 80)
    start = -diagonal / 2 + rng.uniform(0, gap)
    bend = rng.normal(0, 0.06)
    lines = []
    for s in exact.spaced(start, diagonal / 2, gap):
        middle = world.size_m / 2 + right * s
        lines.append(ground.curve(middle - along * diagonal, middle + along * diagonal, bend, 40))
    width = rng.uniform(5, 8)
    layout.road(world, lines, width, cars=rng.uniform(0.05, 0.4))
    for line in lines:
        _houses(world, line, width)
    if rng.random() < 0.3 and world.wants("tennis_court"):
        layout.scatter(world, 3, lambda t: tennis_court(rng), margin=3)
    layout.scatter(world, 14, lambda t: vehicles.car(rng), margin=0.5)
    layout.grove(world, int(rng.integers(20, 120)))


def _houses(world: World, line: Array, width: float) -> None:
    rng = world.rng
    pitch = rng.uniform(17, 28)
    done = [0.0, *np.cumsum(exact.lengths(np.diff(line, axis=0))).tolist()]
    for side in (-1, 1):
        path = layout.shifted(line, side * (width / 2 + rng.uniform(10, 14)))
        for s in exact.spaced(0, done[-1], pitch):
            k = min(int(np.searchsorted(done[1:], s)), len(path) - 2)
            at = path[k] + (path[k + 1] - path[k]) * (
                (s - done[k]) / max(done[k + 1] - done[k], 1e-6)
            )
            if np.any(at < -20) or np.any(at > world.size_m + 20):
                continue
            along = path[k + 1] - path[k]
            way = exact.direction(along) + rng.normal(0, 0.05)
            out = rotated(np.array([[0.0, side]]), way)[0]
            if rng.random() < 0.6:
                drive = np.stack([at - out * 14, at])
                ground.lay(
                    world,
                    ground.band(
                        drive + rng.uniform(4, 6) * rotated(np.array([[1.0, 0]]), way), 3.2
                    ),
                    str(rng.choice(["concrete", "asphalt", "gravel"])),
                )
                if rng.random() < 0.6:
                    spot = at - out * 9 + 5 * rotated(np.array([[1.0, 0]]), way)[0]
                    world.place(vehicles.car(rng), spot, way + np.pi / 2 * side, 0.1)
            world.place(
                structures.building(
                    world, way, rng.uniform(9, 16), rng.uniform(7, 12), rng.uniform(4, 8)
                ),
                at,
                way,
                0.3,
            )
            if rng.random() < 0.35 and world.wants("swimming_pool"):
                sprite = pool(rng)
                spot = at + out * rng.uniform(9, 13)
                if world.is_free(world.footprint(sprite, spot, way, 1.5)):
                    ground.lay(
                        world,
                        world.footprint(sprite, spot, way, rng.uniform(0.5, 2)) * world.gsd,
                        "concrete",
                    )
                    world.place(sprite, spot, way, 1.0)


def roundabout(world: World, at: Array, heading: float) -> None:
    """A ring road around an island; the object is everything within the kerb."""
    rng = world.rng
    outer = rng.uniform(14, 32)
    inner = outer - rng.uniform(6, 10)
    tar = np.ones(3) * rng.uniform(0.25, 0.5)
    grass = np.array([0.34, 0.42, 0.24]) * rng.uniform(0.8, 1.3)
    probe = Sprite("roundabout", [Part(ellipse(outer, outer), tar)])
    if not world.shows(probe, at, heading):
        return
    turns = heading + 2 * np.pi * np.arange(arms := int(rng.integers(3, 6))) / arms
    arms_m = [np.stack([at, at + 300 * exact.unit(float(t))]) for t in turns]
    width = rng.uniform(7, 11)
    layout.road(world, arms_m, width, cars=0)
    parts = [Part(ellipse(outer, outer, n=60), tar, cover=COVER["impervious"])]
    parts.append(Part(ellipse(inner, inner, n=60), np.ones(3) * 0.75, solid=False))
    parts.append(
        Part(
            ellipse(inner * 0.95, inner * 0.95, n=60),
            grass,
            solid=False,
            cover=COVER["low_vegetation"],
        )
    )
    if rng.random() < 0.5:
        r = inner * rng.uniform(0.3, 0.6)
        parts.append(
            Part(ellipse(r, r), np.array([0.6, 0.55, 0.45]) * rng.uniform(0.7, 1.3), solid=False)
        )
    if rng.random() < 0.5:
        parts.append(
            Part(
                ellipse((outer + inner) / 2, (outer + inner) / 2),
                (0.85, 0.85, 0.85),
                solid=False,
                line=0.2,
                closed=True,
            )
        )
    number = world.paint(
        Sprite("roundabout", parts, None, ((0.05, 4.0), (0.04, 0.6)), casts=False), at, heading
    )
    if number:
        ring = ellipse((outer + inner) / 2, (outer + inner) / 2, at[0], at[1], 24)
        layout.traffic(world, ring, 2.0, 0.5, parent=number)
        world.reserve((ellipse(outer, outer, at[0], at[1])) / world.gsd)
        for line in arms_m:
            layout.traffic(world, line, width, 0.3)


def parking_lot(world: World) -> None:
    """Car parks edge to edge, lorry yards, a shed or two."""
    rng = world.rng
    heading = layout.angle(rng)
    ground.cover_all(world, str(rng.choice(["asphalt", "concrete", "gravel", "grass", "soil"])))
    layout.blotches(world, int(rng.integers(4, 25)))
    for _ in range(int(rng.integers(0, 3))):
        size = rng.uniform(20, 70, 2)
        world.place(
            structures.building(world, heading, size[0], size[1], rng.uniform(6, 12)),
            layout.anywhere(world),
            heading,
            1,
        )
    reach = float(world.size_m.max())
    for _ in range(int(rng.integers(1, 4))):
        rows = int(np.clip(rng.uniform(0.3, 1) * reach / 8, 1, 12))
        stalls = int(np.clip(rng.uniform(0.3, 1) * reach / 2.7, 4, 40))
        layout.parking(
            world,
            layout.anywhere(world),
            heading,
            rows,
            stalls,
            full=rng.uniform(0.2, 1.1),
            lorries=rng.random() < 0.2,
        )
    layout.scatter(
        world,
        12,
        lambda t: vehicles.lorry(rng) if rng.random() < 0.4 else vehicles.car(rng),
        margin=0.5,
    )
    layout.grove(world, 25, where=None, radius=rng.uniform(1.5, 3))


def countryside(world: World) -> None:
    """Fields, woods, a road, farms, wind turbines."""
    rng = world.rng
    heading = layout.angle(rng)
    ground.cover_all(world, str(rng.choice(["crop", "grass", "dry"])))
    diagonal = exact.length(world.size_m)
    for _ in range(int(rng.integers(2, 9))):
        size = rng.uniform(0.15, 0.6, 2) * diagonal
        field = rotated(box(*size), heading + rng.normal(0, 0.08)) + layout.anywhere(world)
        ground.lay(
            world, field, str(rng.choice(["crop", "crop", "soil", "dry", "grass", "forest"]))
        )
    if rng.random() < 0.5:
        ground.blend_surface(
            world, ground.patch_mask(world, 80, rng.uniform(0.1, 0.3)), (0, 0), "forest"
        )
    if rng.random() < 0.3:
        ground.blend_surface(world, ground.patch_mask(world, 90, 0.1), (0, 0), "water")
    layout.blotches(world, 6)
    if rng.random() < 0.7:
        layout.road(world, layout.crossing(world), rng.uniform(4, 8), cars=0.2)
    if rng.random() < 0.5:
        layout.scatter(
            world, int(rng.integers(1, 7)), lambda t: structures.windmill(world), margin=5
        )
    layout.buildings(world, int(rng.integers(0, 8)), heading, (8, 40))
    layout.grove(world, int(rng.integers(10, 80)))
