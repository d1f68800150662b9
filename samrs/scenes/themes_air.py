"""Airports, airfields and air bases."""

import numpy as np

from samrs.scenes import exact, ground, layout, planes, structures, vehicles
from samrs.scenes.sprite import Array, Part, Sprite, box, rect, rotated
from samrs.scenes.world import COVER, World

FIELDS = ("grass", "grass", "dry", "soil")


def _slabs(world: World, heading: float, outline: Array) -> None:
    """Joints of a concrete apron."""
    rng = world.rng
    pitch = rng.uniform(5, 12)
    strength = float(rng.uniform(0.05, 0.35))
    reach = exact.length(outline.max(0) - outline.min(0)) / 2
    centre = outline.mean(0)
    colour = np.ones(3) * rng.choice([0.25, 0.8])
    if pitch / world.gsd < 6 or reach / pitch > 60:
        return
    lines = [
        rotated(np.array([[-reach, s], [reach, s]]), heading + turn) + centre
        for s in exact.spaced(-reach, reach, pitch)
        for turn in (0.0, np.pi / 2)
    ]
    ground.marks(world, lines, 0.15, colour, strength=strength)


def _taxi_lines(world: World, count: int) -> None:
    rng = world.rng
    for _ in range(count):
        line = layout.crossing(world, float(rng.choice([0.0, 0.15])))
        ground.marks(
            world, line, rng.uniform(0.2, 0.6), layout.YELLOW, strength=rng.uniform(0.4, 0.9)
        )


def airport(world: World) -> None:
    """Apron, taxiways, runway, terminal, rows of aircraft and their service vehicles."""
    rng = world.rng
    heading = layout.angle(rng)
    everything = rng.random() < 0.4
    apron = str(rng.choice(["concrete", "concrete", "asphalt"]))
    ground.cover_all(world, apron if everything else str(rng.choice(FIELDS)))
    diagonal = exact.length(world.size_m)
    middle = world.size_m / 2
    if everything:
        _slabs(world, heading, np.array([[0.0, 0], world.size_m]))
    else:
        width = diagonal * rng.uniform(0.3, 0.75)
        outline = rotated(box(diagonal * 1.2, width), heading) + layout.anywhere(
            world, diagonal * 0.2
        )
        ground.lay(world, outline, apron)
        _slabs(world, heading, outline)
        for _ in range(int(rng.integers(0, 3))):
            line = layout.crossing(world, 0.2)
            ground.lay(
                world,
                ground.band(line, rng.uniform(16, 30)),
                str(rng.choice(["asphalt", "concrete"])),
            )
            ground.marks(world, line, 0.4, layout.YELLOW)
        if rng.random() < 0.4:
            runway(
                world,
                middle + rotated(np.array([[0, diagonal * rng.uniform(-0.4, 0.4)]]), heading)[0],
                heading,
                diagonal * 1.5,
            )
    _taxi_lines(world, int(rng.integers(1, 5)))
    layout.blotches(world, int(rng.integers(3, 25)))
    if rng.random() < 0.6:
        hall = structures.building(
            world, heading, rng.uniform(60, 200), rng.uniform(20, 45), rng.uniform(8, 18)
        )
        world.place(hall, layout.anywhere(world), heading, 4)
    size = str(rng.choice(["any", "airliner", "small", "military"], p=[0.2, 0.5, 0.2, 0.1]))
    if world.wants("plane") and rng.random() < 0.45:
        for _ in range(int(rng.integers(1, 4))):
            _pier(world, heading + rng.choice([0, np.pi / 2]))
    for _ in range(int(rng.integers(1, 6))):
        _plane_row(world, heading + np.pi / 2 * int(rng.integers(4)), size)
    layout.scatter(world, int(rng.integers(1, 8)), lambda t: planes.plane(world, t, size), margin=2)
    if rng.random() < 0.35:
        layout.scatter(
            world, int(rng.integers(1, 6)), lambda t: planes.helicopter(world, t), margin=2
        )
    layout.scatter(
        world,
        10,
        lambda t: vehicles.lorry(rng) if rng.random() < 0.5 else vehicles.car(rng),
        margin=1,
    )
    if rng.random() < 0.3:
        layout.scatter(world, 6, lambda t: structures.container(rng), margin=1)
    layout.grove(world, 10)


def _plane_row(world: World, heading: float, size: str) -> None:
    """Aircraft side by side on their stands."""
    rng = world.rng
    across = heading + np.pi / 2 + rng.choice([0.0, rng.uniform(-0.5, 0.5)])
    first = planes.plane(world, heading, size)
    x0, y0, x1, y1 = first.extent()
    pitch = (y1 - y0) * rng.uniform(1.06, 1.5)
    start = layout.anywhere(world)
    turn = int(rng.random() < 0.5) * np.pi
    count = int(rng.integers(2, 9) * world.density)
    same = rng.random() < 0.4
    for k in range(count):
        at = start + (k - count / 2) * pitch * exact.unit(across)
        sprite = first if same else planes.plane(world, heading + turn, size)
        if rng.random() < 0.85:
            line = np.stack(
                [
                    at,
                    at - 1.2 * (x1 - x0) * exact.unit(heading + turn),
                ]
            )
            ground.marks(world, line, 0.3, layout.YELLOW, strength=0.7)
            world.place(sprite, at, heading + turn + rng.normal(0, 0.04), 0.5)


def _pier(world: World, heading: float) -> None:
    """A terminal pier with airliners nose-in on both sides, each at its jet bridge."""
    rng = world.rng
    length, half = rng.uniform(80, 300), rng.uniform(8, 20)
    centre = layout.anywhere(world)
    hall = structures.building(world, heading, length, 2 * half, rng.uniform(7, 14))
    if not world.place(hall, centre, heading, 0.0):
        return
    span = rng.uniform(26, 62)
    pitch = span * rng.uniform(1.12, 1.4)
    for side in (-1, 1):
        for x in exact.spaced(-length / 2 + span / 2, length / 2 - span / 3, pitch):
            if rng.random() < 0.15:
                continue
            nose_in = heading - side * np.pi / 2
            sprite = planes.plane(world, nose_in, "airliner", span * rng.uniform(0.85, 1.0))
            reach = sprite.extent()[2]
            gap = rng.uniform(4, 16)
            at = layout.offset(centre, heading, x, side * (half + gap + reach))
            line = np.stack(
                [
                    layout.offset(centre, heading, x, side * half),
                    layout.offset(at, heading, 0, side * 80),
                ]
            )
            ground.marks(world, line, 0.3, layout.YELLOW, strength=rng.uniform(0.2, 0.8))
            if world.place(sprite, at, nose_in, -0.5):
                door = layout.offset(at, nose_in, reach * 0.72, -reach * 0.13)
                root = layout.offset(
                    centre, heading, x + rng.uniform(-0.3, 0.3) * span, side * half
                )
                _jet_bridge(world, root, door)
                for _ in range(int(rng.integers(0, 5))):
                    spot = layout.offset(
                        at, nose_in, rng.uniform(-1, 1) * reach, rng.uniform(-1, 1) * reach
                    )
                    small = vehicles.car(rng) if rng.random() < 0.6 else vehicles.lorry(rng)
                    world.place(small, spot, layout.angle(rng), 0.3)


def _jet_bridge(world: World, root: Array, door: Array) -> None:
    """A passenger bridge from terminal to aircraft, clutter that touches the object."""
    rng = world.rng
    run = door - root
    length = exact.length(run)
    if length > 60:
        return
    grey = np.ones(3) * rng.uniform(0.45, 0.9)
    parts = [Part(rect(0, -1.5, length - 1, 1.5), grey, 4.5, wall=grey * 0.7)]
    parts.append(Part(box(4, 4, length - 2), grey * 0.9, 5, wall=grey * 0.6))
    sprite = Sprite("", parts, COVER["clutter"])
    world.paint(sprite, root, exact.direction(run))


def runway(world: World, centre: Array, heading: float, length: float) -> None:
    """A runway with threshold bars, centre line and touchdown marks."""
    rng = world.rng
    width = rng.uniform(28, 60)
    ground.lay(world, rotated(box(length, width + 14), heading) + centre, "asphalt")
    ground.lay(
        world,
        rotated(box(length, width), heading) + centre,
        str(rng.choice(["asphalt", "concrete"])),
    )
    centre_line = rotated(np.array([[-length / 2, 0], [length / 2, 0]]), heading) + centre
    ground.marks(world, centre_line, 0.9, layout.WHITE, dash_m=(30, 20))
    for side in (-0.47, 0.47):
        ground.marks(world, layout.shifted(centre_line, side * width), 0.9, layout.WHITE)
    x = rng.uniform(-0.4, 0.4) * length
    for y in np.linspace(-0.4, 0.4, 10):
        bar = rotated(np.array([[x, y * width], [x + 30, y * width]]), heading) + centre
        ground.marks(world, bar, 1.8, layout.WHITE)
