"""A default remote without an address of its own is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from samrs.check.remotes import PLACEHOLDER, placeholder
from samrs.core.errors import ParameterError

CONFIG = f"""[core]
    remote = public
['remote "public"']
    url = https://{PLACEHOLDER}/dvc
['remote "storage"']
    url = s3://bucket/100%25
"""


def write(root: Path, file: str, text: str) -> None:
    (root / ".dvc").mkdir(exist_ok=True)
    (root / ".dvc" / file).write_text(text, encoding="utf-8")


def test_a_default_remote_with_the_placeholder_is_named(tmp_path: Path) -> None:
    assert placeholder(tmp_path) is None
    write(tmp_path, "config", CONFIG)
    assert placeholder(tmp_path) == "public"


def test_an_own_address_is_one(tmp_path: Path) -> None:
    write(tmp_path, "config", CONFIG)
    write(tmp_path, "config.local", "['remote \"public\"']\n    url = https://mirror.test/dvc\n")
    assert placeholder(tmp_path) is None


def test_broken_settings_are_one_sentence(tmp_path: Path) -> None:
    write(tmp_path, "config", "[core\nx")
    with pytest.raises(ParameterError, match=r"^\.dvc/config: unreadable, got [^\n]*; mend it"):
        placeholder(tmp_path)
