"""Themes of one purpose: tank farm, sports ground; and the collage of everything."""

from collections.abc import Callable

import numpy as np

from samrs.scenes import courts, exact, ground, layout, planes, ships, structures, vehicles
from samrs.scenes.palette import sport_surface
from samrs.scenes.raster import fill
from samrs.scenes.sprite import Array, Sprite, box, rotated
from samrs.scenes.world import World

GRASSY = ("grass", "grass", "dry", "soil")


def tank_farm(world: World) -> None:
    """Clusters of tanks in bunds, pipes, plant, chimneys, lorries."""
    rng = world.rng
    heading = layout.angle(rng)
    ground.cover_all(
        world, str(rng.choice(["soil", "gravel", "concrete", "dry", "grass", "asphalt"]))
    )
    ground.blend_surface(
        world,
        ground.patch_mask(world, 40, rng.uniform(0.1, 0.5)),
        (0, 0),
        str(rng.choice(["gravel", "soil", "grass", "concrete"])),
    )
    diagonal = exact.length(world.size_m)
    for _ in range(int(rng.integers(1, 3))):
        a = layout.anywhere(world)
        line = np.stack(
            [layout.offset(a, heading, -diagonal, 0), layout.offset(a, heading, diagonal, 0)]
        )
        layout.road(world, line, rng.uniform(6, 9), cars=0.15)
    for _ in range(int(rng.integers(3, 11))):
        _tank_cluster(world, heading)
    for _ in range(int(rng.integers(0, 8))):
        a = layout.anywhere(world)
        turn = heading + np.pi / 2 * int(rng.integers(4))
        for k in range(int(rng.integers(1, 5))):
            line = np.stack(
                [
                    layout.offset(a, turn, 0, k * 1.2),
                    layout.offset(a, turn, rng.uniform(20, 150), k * 1.2),
                ]
            )
            ground.marks(world, line, 0.6, np.ones(3) * rng.uniform(0.3, 0.9), strength=0.8)
    layout.blotches(world, int(rng.integers(2, 15)))
    layout.scatter(
        world, int(rng.integers(0, 4)), lambda t: structures.chimney(world), heading=0.0, margin=2
    )
    layout.buildings(world, int(rng.integers(2, 10)), heading, (8, 45))
    layout.scatter(world, 5, lambda t: vehicles.lorry(rng), margin=1)
    layout.grove(world, 30)


def _tank_cluster(world: World, heading: float) -> None:
    rng = world.rng
    nx, ny = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    radius = exact.exp(rng.uniform(exact.log(3.5), exact.log(34.0)))
    radius = float(np.clip(radius, 4.5 * world.gsd, 95 * world.gsd))
    pitch = radius * rng.uniform(2.2, 3.6)
    centre = layout.anywhere(world)
    if rng.random() < 0.6:
        bund = rotated(box(nx * pitch + radius, ny * pitch + radius), heading) + centre
        ground.lay(world, bund, str(rng.choice(["soil", "gravel", "concrete", "grass", "dry"])))
        ground.marks(
            world,
            bund,
            rng.uniform(0.5, 2),
            np.ones(3) * rng.uniform(0.4, 0.9),
            strength=0.7,
            closed=True,
        )
    colour = structures.tank_colour(rng)
    same = rng.random() < 0.7
    for i in range(nx):
        for j in range(ny):
            if rng.random() < 0.1:
                continue
            at = layout.offset(
                centre, heading, (i - (nx - 1) / 2) * pitch, (j - (ny - 1) / 2) * pitch
            )
            r = radius * (rng.uniform(0.95, 1.0) if same else rng.uniform(0.5, 1.0))
            world.place(structures.tank(world, r, colour if same else None), at, 0.0, 0.3)


def _court_block(
    world: World, make: Callable[[np.random.Generator, Array], Sprite], heading: float
) -> None:
    """One to eight courts side by side on a common pad."""
    rng = world.rng
    count = int(rng.integers(1, 6))
    rows = 2 if rng.random() < 0.2 else 1
    colour, around = sport_surface(rng), sport_surface(rng)
    if rng.random() < 0.3:
        around = colour * rng.uniform(0.85, 1.15)
    sample = make(rng, colour).extent()
    length, width = sample[2] - sample[0], sample[3] - sample[1]
    gap, end = rng.uniform(0.6, 5), rng.uniform(1.5, 7)
    centre = layout.anywhere(world, 5)
    pad = rotated(box(rows * (length + 2 * end), count * (width + gap) + gap), heading) + centre
    if not world.is_free(pad / world.gsd):
        return
    ground.lay(world, pad, "asphalt", plain=True)
    x0, y0, x1, y1 = world.clip(pad / world.gsd, pad=1)
    if x1 > x0 and y1 > y0 and rng.random() < 0.8:
        alpha = np.zeros((y1 - y0, x1 - x0), np.uint8)
        fill(alpha, pad / world.gsd - (x0, y0), 255, smooth=True)
        ground.blend_colour(
            world, alpha.astype(np.float32) * np.float32(0.9 / 255), (x0, y0), around
        )
    for i in range(rows):
        for k in range(count):
            x = (i - (rows - 1) / 2) * (length + 2 * end)
            y = (k - (count - 1) / 2) * (width + gap)
            tone = colour * rng.uniform(0.97, 1.03) if rng.random() < 0.85 else sport_surface(rng)
            world.paint(
                make(rng, tone),
                layout.offset(centre, heading, x, y),
                heading + np.pi * int(rng.integers(2)),
            )
    world.reserve(pad / world.gsd)
    if rng.random() < 0.5:
        ground.marks(
            world, pad, 0.25, np.ones(3) * rng.uniform(0.1, 0.8), strength=0.6, closed=True
        )


def sports(world: World) -> None:
    """Courts, diamonds, pitches and tracks in a park, with parking and trees."""
    rng = world.rng
    heading = layout.angle(rng)
    ground.cover_all(world, str(rng.choice(GRASSY)))
    ground.blend_surface(
        world,
        ground.patch_mask(world, 25, rng.uniform(0.05, 0.4)),
        (0, 0),
        str(rng.choice(["dry", "grass", "soil", "forest", "asphalt"])),
    )
    layout.blotches(world, int(rng.integers(2, 12)))
    area = float(world.size_m[0] * world.size_m[1])
    if rng.random() < 0.6:
        layout.road(world, layout.crossing(world, 0.15), rng.uniform(5, 9), cars=0.3)
    if area > 6000 and rng.random() < 0.6:
        _track(world, heading + rng.choice([0, np.pi / 2]))
    diamonds = int(rng.integers(1, 5)) if area > 4000 else int(rng.integers(0, 2))
    for _ in range(diamonds if world.wants("baseball_diamond") else 0):
        _diamond(world)
    for _ in range(int(rng.integers(1, 6))):
        kind = rng.random()
        theta = heading + np.pi / 2 * int(rng.integers(4)) + rng.choice([0, rng.normal(0, 0.2)])
        if kind < 0.45 and world.wants("tennis_court"):
            _court_block(world, courts.tennis_court, theta)
        elif kind < 0.85 and world.wants("basketball_court"):
            _court_block(world, courts.basketball_court, theta)
        elif area > 5000:
            world.place(courts.soccer_field(rng), layout.anywhere(world, 20), theta, 2)
    if rng.random() < 0.4:
        layout.parking(
            world,
            layout.anywhere(world),
            heading,
            int(rng.integers(1, 4)),
            int(rng.integers(6, 25)),
        )
    layout.buildings(world, int(rng.integers(0, 6)), heading, (10, 50))
    layout.grove(world, int(rng.integers(5, 90)))


def _track(world: World, heading: float) -> None:
    rng = world.rng
    own_pitch = "soccer_field" not in world.kinds
    sprite, half_size = courts.track_field(rng, own_pitch)
    at = layout.anywhere(world, min(60.0, float(world.size_m.min()) / 2.5))
    number = world.place(sprite, at, heading, 2)
    if number and not own_pitch:
        world.paint(courts.soccer_field(rng, half_size), at, heading, parent=number)
    if number and rng.random() < 0.4:
        stand = structures.building(world, heading, rng.uniform(30, 80), rng.uniform(8, 16), 6)
        world.place(stand, layout.offset(at, heading, 0, sprite.extent()[3] + 12), heading, 1)


def _diamond(world: World) -> None:
    rng = world.rng
    heading = layout.angle(rng)
    sprite = courts.baseball_diamond(rng)
    at = layout.anywhere(world, 10)
    if not world.is_free(world.footprint(sprite, at, heading, 4)):
        return
    if rng.random() < 0.5:
        reach = rng.uniform(60, 110)
        t = np.linspace(-0.8, 0.8, 24)
        fan = np.concatenate(
            [[[-26, 8], [-26, -8]], np.stack([-20 + reach * exact.cos(t), reach * exact.sin(t)], 1)]
        )
        outline = rotated(fan, heading) + at
        if rng.random() < 0.5:
            ground.lay(
                world,
                ground.band(np.concatenate([outline, outline[:1]]), rng.uniform(2, 5)),
                "soil",
            )
        ground.lay(
            world, outline, str(rng.choice(["grass", "grass", "dry"])), plain=rng.random() < 0.5
        )
    world.place(sprite, at, heading, 4)


def collage(world: World) -> None:
    """Anything anywhere: objects torn from their usual places, so that none can be inferred."""
    rng = world.rng
    names = list(ground.SURFACES)
    ground.cover_all(world, str(rng.choice(names)))
    for _ in range(int(rng.integers(0, 4))):
        ground.blend_surface(
            world,
            ground.patch_mask(world, rng.uniform(10, 80), rng.uniform(0.1, 0.5)),
            (0, 0),
            str(rng.choice(names)),
        )
    layout.blotches(world, int(rng.integers(5, 40)))
    makers: dict[str, Callable[[float], Sprite]] = {
        "plane": lambda t: planes.plane(world, t),
        "helicopter": lambda t: planes.helicopter(world, t),
        "ship": lambda t: ships.ship(rng),
        "small_vehicle": lambda t: vehicles.car(rng),
        "large_vehicle": lambda t: vehicles.lorry(rng),
        "storage_tank": lambda t: structures.tank(world),
        "tennis_court": lambda t: courts.tennis_court(rng),
        "basketball_court": lambda t: courts.basketball_court(rng),
        "baseball_diamond": lambda t: courts.baseball_diamond(rng),
        "soccer_field": lambda t: courts.soccer_field(rng),
        "windmill": lambda t: structures.windmill(world),
        "building": lambda t: structures.building(world, t, rng.uniform(8, 40), rng.uniform(6, 30)),
        "tree": lambda t: structures.tree(world),
    }
    names = [k for k in makers if world.wants(k)]
    limit = 0.6 * float(world.size_m.min())
    for _ in range(round(rng.integers(8, 45) * world.density)):
        theta = layout.angle(rng)
        sprite = makers[str(rng.choice(names))](theta)
        x0, y0, x1, y1 = sprite.extent()
        if max(x1 - x0, y1 - y0) < limit and min(x1 - x0, y1 - y0) > 5 * world.gsd:
            world.place(
                sprite, layout.anywhere(world), 0.0 if sprite.kind == "storage_tank" else theta, 0.5
            )
