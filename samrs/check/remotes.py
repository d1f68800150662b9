"""Whether the DVC remotes of a checkout have an address, read from their files without dvc."""

from __future__ import annotations

from configparser import ConfigParser
from configparser import Error as ConfigError
from pathlib import Path

from samrs.core.errors import ParameterError

PLACEHOLDER = "samrs.example"
"""The host in the committed addresses; ``.example`` belongs to nobody (RFC 2606)."""
FILES = (".dvc/config", ".dvc/config.local")
"""The later one overrides the former."""


def placeholders(root: Path) -> list[str]:
    """Names of the remotes whose address is still the committed placeholder, sorted.

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
    addresses = {name: config[name].get("url", "") for name in config.sections()}
    return sorted(
        name.split('"')[1]
        for name, url in addresses.items()
        if name.replace("'", "").startswith('remote "') and PLACEHOLDER in url
    )
