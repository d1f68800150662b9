"""Whether the default DVC remote of a checkout has an address, read from its files without dvc."""

from __future__ import annotations

from configparser import ConfigParser
from configparser import Error as ConfigError
from pathlib import Path

from samrs.core.errors import ParameterError

PLACEHOLDER = "samrs.example"
"""The host in the committed addresses; ``.example`` belongs to nobody (RFC 2606)."""
FILES = (".dvc/config", ".dvc/config.local")
"""The later one overrides the former."""


def placeholder(root: Path) -> str | None:
    """Name of the default remote where its address is still the placeholder; else None.

    Raises:
        ParameterError: a file cannot be read.
    """
    config = ConfigParser(interpolation=None)
    try:
        config.read([root / file for file in FILES], encoding="utf-8")
    except (ConfigError, UnicodeError) as error:
        raise ParameterError(
            f".dvc/config: unreadable, got {' '.join(str(error).split())}; DVC's settings are "
            "needed; mend it, or check it out again"
        ) from error
    default = config.get("core", "remote", fallback="")
    url = config.get(f"'remote \"{default}\"'", "url", fallback="")
    return default if PLACEHOLDER in url else None
