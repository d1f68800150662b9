"""The numbered scenes of one demo dataset, seeded apart from every other dataset's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from samrs.core.errors import ParameterError
from samrs.core.progress import progress
from samrs.scenes.render import render_scene
from samrs.scenes.scene import Scene

SEEDS = 100_000
"""Scene seeds of one dataset; each takes its own block of them below DEMO_SEEDS."""
DEMO_SEEDS = 1_000_000
"""Scene seeds from here on are for training nano, so that it never saw a demo scene."""
MOST_SCENES = 250
TRIES = 4
"""How often a scene is drawn at most until it shows what it is there for."""


@dataclass(frozen=True)
class View:
    """What one scene of a series shows.

    Args:
        theme: see ``samrs.scenes.render.THEMES``.
        gsd: metres per px.
        shows: kinds that ought to be there: a scene without them is drawn again, and of ``TRIES``
            the one with most of them is taken.
        empty: whether no object is painted but trees and buildings.
        density: factor on the number of objects.
    """

    theme: str
    gsd: float
    shows: tuple[str, ...] = ()
    empty: bool = False
    density: float = 1.0


def scene_seed(block: int, seed: int, number: int, attempt: int) -> int:
    """Seed of a dataset's scene: other arguments give other seeds.

    Args:
        block: the dataset's own, 0-9.
        seed: the user's, any natural number; those 100 apart give the same scenes.
        number: of the scene, from 0.
        attempt: 0 to ``TRIES`` - 1.
    """
    if seed < 0 or not 0 <= number < MOST_SCENES:
        raise ParameterError(
            f"download: no such demo scenes, got seed {seed}, scene {number}; a seed of 0 or "
            f"more and at most {MOST_SCENES} scenes are allowed; change them in params.yaml"
        )
    return block * SEEDS + ((seed * MOST_SCENES + number) * TRIES + attempt) % SEEDS


def render_series(
    name: str,
    views: Sequence[View],
    *,
    kinds: Sequence[str],
    size_hw: tuple[int, int],
    block: int,
    seed: int,
    scenes: int,
) -> Iterator[tuple[int, Scene]]:
    """Render a dataset's scenes one after the other, showing progress.

    Args:
        name: of the dataset.
        views: taken in turn, over and over.
        kinds: see ``render_scene``.
        size_hw: height and width of every scene in px.
        block: of seeds, the dataset's own, 0-9.

    Yields:
        Number of the scene, from 0, and the scene.
    """
    for number in progress(range(scenes), desc=f"download {name}", unit="scene"):
        view = views[number % len(views)]
        wanted = () if view.empty else tuple(kinds)
        seeds = [scene_seed(block, seed, number, attempt) for attempt in range(TRIES)]
        yield number, _best_scene(view, wanted, size_hw, seeds)


def _best_scene(
    view: View, kinds: tuple[str, ...], size_hw: tuple[int, int], seeds: Sequence[int]
) -> Scene:
    best, most = None, -1
    for seed in seeds:
        scene = render_scene(
            seed, size_hw=size_hw, kinds=kinds, gsd=view.gsd, density=view.density, theme=view.theme
        )
        shown = len({item.kind for item in scene.objects} & set(view.shows))
        if best is None or shown > most:
            best, most = scene, shown
        if shown == len(view.shows):
            break
    assert best is not None
    return best
