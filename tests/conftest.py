"""Fixtures and settings shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

# Two test processes share two cores: more threads than one each only wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

from tests.demo.settings import cpu
from tests.fetch.server import Server, serving

ROOT = Path(__file__).parents[1]


def pytest_report_header() -> str:
    """Name the CPU, on which bytes must not depend."""
    return f"CPU: {cpu()}"


# No deadlines: a busy machine is no failure.
settings.register_profile("samrs", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("samrs")


@pytest.fixture
def server() -> Iterator[Server]:
    """A web server on this machine that hands out files well, badly, in part, and never."""
    with serving() as state:
        yield state


@pytest.fixture
def real() -> Path:
    """Folder of real, research-only datasets beside the project; tests skip without it."""
    folder = ROOT.parent / "shared" / "real"
    if not folder.is_dir():
        pytest.skip("real datasets are not at ../shared/real (research-only, not in the project)")
    return folder
