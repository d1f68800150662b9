"""The map of the packages names those that exist."""

from __future__ import annotations

from tools.docs.packages import KINDS, found


def test_every_package_has_one_line() -> None:
    named = [name for packages in KINDS.values() for name in packages]
    assert len(named) == len(set(named))
    assert found() == set(named)
