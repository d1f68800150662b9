"""Segmentation datasets out of remote-sensing detection boxes, with SAM."""

from __future__ import annotations


def __getattr__(name: str) -> str:
    if name == "__version__":  # pyproject.toml's, as installed; looked up when asked for
        from importlib.metadata import version

        return version("samrs")
    raise AttributeError(f"module 'samrs' has no attribute {name!r}")
