"""Renders a scene from a seed: `render_scene(7, size_hw=(512, 512))`."""

from collections.abc import Callable, Sequence

import numpy as np

from samrs.scenes import camera, exact, themes_air, themes_land, themes_sites, themes_water
from samrs.scenes.dice import Dice
from samrs.scenes.scene import KINDS, Scene
from samrs.scenes.world import World

_TOWN = ("small_vehicle", "building", "tree")
_SPORTS = ("tennis_court", "basketball_court", "baseball_diamond", "soccer_field", "track_field")

# Theme: what it paints, its gsd range in metres per pixel, its weight, the kinds it is good for.
THEMES: dict[str, tuple[Callable[[World], None], tuple[float, float], float, tuple[str, ...]]] = {
    "airport": (themes_air.airport, (0.25, 1.2), 1.3, ("plane", "helicopter")),
    "tank_farm": (themes_sites.tank_farm, (0.25, 1.4), 1.1, ("storage_tank", "chimney")),
    "sports": (themes_sites.sports, (0.15, 0.9), 2.8, _SPORTS),
    "open_sea": (themes_water.open_sea, (0.3, 1.5), 0.5, ("ship",)),
    "port": (themes_water.port, (0.3, 1.5), 0.9, ("ship", "storage_tank")),
    "marina": (themes_water.marina, (0.2, 0.9), 0.8, ("ship", "harbor")),
    "river": (themes_water.river, (0.3, 1.2), 1.1, ("bridge", "ship")),
    "city": (themes_land.city, (0.1, 0.6), 1.1, (*_TOWN, "large_vehicle", "roundabout")),
    "street": (themes_land.street, (0.07, 0.2), 0.6, _TOWN),
    "residential": (themes_land.residential, (0.12, 0.6), 0.8, (*_TOWN, "swimming_pool")),
    "parking_lot": (themes_land.parking_lot, (0.1, 0.5), 0.6, ("small_vehicle", "large_vehicle")),
    "countryside": (themes_land.countryside, (0.3, 1.4), 0.5, ("windmill", "tree", "building")),
    "collage": (themes_sites.collage, (0.15, 1.2), 0.9, KINDS),
}


def render_scene(
    seed: int,
    *,
    size_hw: tuple[int, int],
    kinds: Sequence[str] = KINDS,
    gsd: float | None = None,
    density: float = 1.0,
    theme: str | None = None,
) -> Scene:
    """Renders a procedural aerial scene with exact instance masks.

    The same arguments give the same bytes. Masks are disjoint but for what stands on or belongs
    to another object, whose mask keeps those pixels: boats in a harbor, cars on a bridge or
    roundabout, the soccer field of a track field. Such parents come before their children.

    Args:
        seed: Chooses everything that the other arguments leave open.
        size_hw: Height and width in pixels.
        kinds: Kinds that may become annotated objects. Others are not painted, except trees and
            buildings, which then are background, and boats that are part of a harbor.
        gsd: Metres per pixel; None draws it, log-uniform in the range of the scene's theme.
        density: Factor on the number of objects.
        theme: One of THEMES; None draws it, those good for `kinds` and `gsd` most often.

    Raises:
        ValueError: A kind or the theme is unknown.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(
                f"render_scene: unknown kind, got {kind!r}; allowed are {', '.join(KINDS)}; "
                "name kinds from samrs.scenes.scene.KINDS"
            )
    rng = Dice(seed)
    if theme is None:
        weights = np.array([_weight(name, kinds, gsd) for name in THEMES])
        theme = list(THEMES)[int(rng.choice(len(weights), p=weights / weights.sum()))]
    elif theme not in THEMES:
        raise ValueError(
            f"render_scene: unknown theme, got {theme!r}; allowed are {', '.join(THEMES)}; "
            "name a key of samrs.scenes.render.THEMES or leave it out"
        )
    paint, gsd_range, _, _ = THEMES[theme]
    drawn = exact.exp(rng.uniform(exact.log(gsd_range[0]), exact.log(gsd_range[1])))
    world = World(rng, size_hw, drawn if gsd is None else gsd, frozenset(kinds), density)
    paint(world)
    image = camera.photograph(world)
    return Scene(image, world.objects(), world.cover, world.gsd)


def _weight(name: str, kinds: Sequence[str], gsd: float | None) -> float:
    """How often a theme is drawn: rarely where it shows nothing wanted or not at this scale."""
    _, (low, high), weight, good_for = THEMES[name]
    if not set(good_for) & set(kinds):
        weight *= 0.08
    if gsd is not None and not low / 1.6 <= gsd <= high * 1.6:
        weight *= 0.1
    return weight
