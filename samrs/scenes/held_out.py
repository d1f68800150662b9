"""Which scenes of a demo dataset are held out, so that what is tested on them can be learned."""

from __future__ import annotations

from collections.abc import Iterable


class HeldOut:
    """Holds out one scene of so many, and none with a class that no training scene before it has.

    A scene that may not be held out is for training, and the next that may takes its place. A
    series of a few scenes may thus hold out none.

    Args:
        every: of how many scenes one is held out.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self._scenes = self._held = 0
        self._trained: set[str] = set()

    def takes(self, classes: Iterable[str]) -> bool:
        """Whether the next scene is held out.

        Args:
            classes: of what it shows; a scene of none has nothing to test and is for training.
        """
        found = set(classes)
        self._scenes += 1
        due = self._scenes // self.every > self._held
        if due and found and found <= self._trained:
            self._held += 1
            return True
        self._trained |= found
        return False
