"""Offline HTML pages from templates: every value is escaped, nothing is fetched."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from samrs.core.images import encode_rgb

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **values: Any) -> bytes:
    """A page of ``templates/`` with its values, as UTF-8; a missing value is an error."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template(template).render(**values).encode("utf-8")


def page_script(name: str) -> tuple[Markup, str]:
    """A script of ``templates/`` to stand in a page, and the source that allows it alone.

    Args:
        name: its file; nothing of a dataset gets into it.

    Returns:
        The text between the script's tags, and what the page's policy has as ``script-src``.
    """
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return Markup(text), f"'sha256-{digest}'"  # noqa: S704


def jpeg_uri(image: NDArray[np.uint8], quality: int) -> str:
    """An image (H, W, 3) RGB as a data URI: part of the page, not fetched.

    Args:
        quality: of the JPEG, 1 to 100.
    """
    return _uri("jpeg", encode_rgb(image, ".jpg", quality))


def file_uri(path: Path) -> str:
    """A PNG or JPEG file (``.png``, ``.jpg``) as a data URI."""
    return _uri({".png": "png", ".jpg": "jpeg"}[path.suffix], path.read_bytes())


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def model_note(manifest: Mapping[str, Any]) -> dict[str, str]:
    """What made the masks, honestly: ``title`` and ``text``."""
    segmenter, model = manifest.get("segmenter", "unknown"), manifest.get("model", "unknown")
    if segmenter != "sam":
        return {
            "title": f"No network made these masks: segmenter {segmenter}.",
            "text": "They are a floor that a segmentation model must beat, not labels to train on.",
        }
    if model == "nano":
        return {
            "title": "Made with nano, which is not the real SAM.",
            "text": "nano has the modules of Segment Anything at a small size and was trained by "
            "this project on procedural scenes only. Its masks show that the pipeline works; "
            "labels to train on need the official weights (model: vit_b, vit_l or vit_h).",
        }
    return {
        "title": f"Made with Segment Anything, {model}.",
        "text": "No person has checked these masks. SAM tends to draw objects in aerial images too "
        "large; the worst masks of each subset are below.",
    }
