"""The rule of ``prompt: auto``: which recipe the ablation tells us to take.

1. The *best* recipe is that of the highest mean IoU over all instances.
2. A recipe *can be told apart* from the best when the 95 % interval of the paired mean difference
   (best less it, the same resampled scenes) lies above zero.
3. If every other recipe can be told apart, the best is taken. Else, of the best and those that
   cannot be told apart from it, the cheapest is taken: more masks a second for quality that nobody
   has shown to be worse.

Cost is compared as encoder passes an instance, then decoder prompts an instance: one pass of
ViT-B's encoder over a tile takes as long as hundreds of prompts. Where costs are equal or unknown,
the higher mean wins, then the name that sorts first.

The runner-up alone is not asked: a third recipe with a wider spread may be inside the noise of the
best where the second, which errs alike, is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from samrs.core.errors import ProductError

Cost = tuple[float, float]


@dataclass(frozen=True)
class Candidate:
    """A recipe as the rule sees it.

    Args:
        name: the recipe.
        score: mean IoU over all instances.
        cost: encoder passes and decoder prompts an instance; None: unknown.
    """

    name: str
    score: float
    cost: Cost | None = None


def best_of(candidates: Sequence[Candidate]) -> Candidate:
    """The candidate of the highest score; of equal ones the cheaper, then the first by name.

    Args:
        candidates: the recipes that were measured, at least one.

    Raises:
        ProductError: there is none.
    """
    if not candidates:
        raise ProductError(
            "prompt: no recipe to choose from, got an ablation without recipes; one or more are "
            "needed; name some in prompt_ablation.recipes"
        )
    return min(candidates, key=lambda c: (-c.score, _cost(c), c.name))


def choose(
    candidates: Sequence[Candidate], behind: Mapping[str, Sequence[float] | None]
) -> dict[str, Any]:
    """The recipe to take.

    Args:
        candidates: the recipes measured on the same instances.
        behind: by recipe, the paired interval (low, high) of how far its mean IoU is behind that
            of ``best_of(candidates)``; the best's own is not read. None, where no interval could
            be had, tells nothing apart.

    Returns:
        ``recipe`` (the choice), ``best`` (highest mean IoU), ``tied`` (those that cannot be told
        apart from the best, without it, in the order of ``candidates``) and ``reason``.

    Raises:
        ProductError: there is no candidate.
    """
    best = best_of(candidates)
    others = [c for c in candidates if c.name != best.name]
    tied = [c for c in others if not _apart(behind[c.name])]
    choice = min([best, *tied], key=lambda c: (_cost(c), -c.score, c.name))
    if not tied:
        reason = (
            "better than every other recipe beyond the 95 % interval"
            if others
            else "it is the only recipe"
        )
    elif choice is best:
        reason = "best mean of those that cannot be told apart, and none of them is cheaper"
    else:
        reason = f"cannot be told apart from {best.name} and is cheaper"
    return {
        "recipe": choice.name,
        "best": best.name,
        "tied": [c.name for c in tied],
        "reason": reason,
    }


def _apart(interval: Sequence[float] | None) -> bool:
    return interval is not None and interval[0] > 0


def _cost(candidate: Candidate) -> Cost:
    """What costs are compared by: unknown ones are all alike."""
    return candidate.cost or (0.0, 0.0)
