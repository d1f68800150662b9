"""One tiny project, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.publish import repositories as tiny


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A committed project that was never pushed; copy it. Its storage is ``../../storage`` seen
    from its ``.dvc``, its public remote http://nowhere."""
    folder = tmp_path_factory.mktemp("original")
    env = tiny.environment(folder)
    return tiny.make(folder / "repo", env, public="http://nowhere", storage="../../storage")
