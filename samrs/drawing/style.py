"""The look of every plot, and how it is written: equal numbers, equal bytes.

Plots are drawn without pyplot, in matplotlib's own font and without metadata.
"""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from PIL import Image

from samrs.core.errors import naming

INK, FAINT = "#1f2933", "#d5dbe1"
LONGEST_NAME = 28
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.parse_math": False,  # names from datasets may hold dollar signs
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "ytick.major.size": 0,
}


def styled(font_size: float = 9) -> AbstractContextManager[None]:
    """What figures are made and written in; the font's size is in points.

    Args:
        font_size: in points.
    """
    return mpl.rc_context({**STYLE, "font.size": font_size})


def short_number(value: float) -> str:
    """1,234,567 as ``1.2M``, 999 as it is."""
    for bound, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= bound:
            scaled = value / bound
            digits = 1 if scaled < 9.95 and scaled % 1 else 0
            return f"{scaled:.{digits}f}{unit}"
    return f"{value:.0f}"


def shorten(name: str) -> str:
    """A name of at most LONGEST_NAME characters, its end cut off where it was longer."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def save_png(figure: Figure, path: Path) -> None:
    """Write a PNG of at most 128 colours: a third of the bytes, for files that live in git."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=100)
    image = Image.open(drawn).convert("RGB")
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path):
        image.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
