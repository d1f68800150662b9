"""Which split a file, folder or list means by its name: one rule for readers, exports, trainings.

A name is cut into words at everything that is no letter and before capitals within it, so that
``train2017``, ``instances_Validation`` and ``VisDrone2019-DET-test-dev`` say what they say, and
``latest`` or ``interval_split`` say nothing.
"""

from __future__ import annotations

import re

SPLITS = ("train", "val", "test")
WORDS = {
    "train": "train",
    "training": "train",
    "trainval": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""What the words mean. ``trainval`` is train: where it is all that is listed, it is trained on."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def split_of(name: str) -> str | None:
    """The split that a name means; None where it says none, or several different ones."""
    found = _said(name)
    return found.pop() if len(found) == 1 else None


def use_of(split: str) -> str:
    """What the tiles of a split are for: ``train``, ``val`` or ``test``.

    Whatever a name says beside it, test is never trained on; a split whose name says none of the
    three, such as ``all``, is for training.

    Args:
        split: its name, as products hold it.
    """
    found = _said(split)
    return "test" if "test" in found else "val" if found == {"val"} else "train"


def _said(name: str) -> set[str]:
    return {WORDS[w.lower()] for w in _WORD.findall(name) if w.lower() in WORDS}


def split_of_folders(name: str) -> str | None:
    """The split that the innermost folder of a file's relative name means that means one."""
    folders = reversed(name.split("/")[:-1])
    return next((split for folder in folders if (split := split_of(folder))), None)
