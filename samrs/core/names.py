"""Names out of any text: of scenes, files and classes, safe where they are written."""

from __future__ import annotations

import hashlib
import re

LONGEST = 120
"""Characters of an id: with what exports add to it, it is a file name on every system (255)."""

CLASS_NAME = re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]{1,200}")
"""A class name: blanks of any kind are a dataset's own, and formats write them as they can."""
CLASS_NAME_SAID = "a name of 1 to 200 characters, none of them a control character,"


def clean_id(text: str) -> str:
    """A scene id out of any name, ``[A-Za-z0-9_.-]`` only.

    Letters of other scripts become their code points ("船" is u8239), so that names stay distinct;
    all else becomes ``_``. What is longer than ``LONGEST`` ends in a digest of the whole.
    """
    told = re.sub(r"[^\x00-\x7f]", lambda letter: f"u{ord(letter[0]):x}", text)
    cleaned = re.sub(r"[^A-Za-z0-9_.-]", "_", told)
    if len(cleaned) <= LONGEST:
        return cleaned
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{cleaned[: LONGEST - 17]}_{digest}"


def safe_name(text: str) -> str:
    """A file or folder name out of any text: ``[A-Za-z0-9_.-]``, no dot first, not empty."""
    return re.sub(r"^\.+", "_", clean_id(text)) or "_"


def plain_text(text: str) -> str:
    """A class name in one line, without control characters."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text).strip() or "_"


def one_word(text: str) -> str:
    """A class name where blanks, of any kind, part columns: each run of them becomes ``-``."""
    return re.sub(r"\s+", "-", text)
