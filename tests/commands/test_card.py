"""``samrs card`` prints the data card of a release."""

from __future__ import annotations

from pathlib import Path

import pytest

from samrs.card import card
from samrs.core.shards import read_manifest, write_json
from tests.commands.calls import call, misused, refused
from tests.export.releases import write_release


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("releases") / "sota")


def test_it_is_what_the_library_writes(release: Path) -> None:
    done = call("card", release)
    assert (done.exit_code, done.stdout, done.stderr) == (0, card(release), "")


@pytest.mark.parametrize("lost", ["contested_pixels", "labelled_pixels", "dropped"])
def test_a_manifest_without_a_count_is_refused_in_one_sentence(lost: str, tmp_path: Path) -> None:
    release = write_release(tmp_path / "sota")
    manifest = read_manifest(release)
    del manifest["counts"][lost]
    write_json(release / "manifest.json", manifest)
    told = refused(call("card", release))
    assert told.startswith(f"{release / 'manifest.json'}: cannot be trusted, got counts")
    assert told.endswith("run samrs verify on it, then fetch or make it again")


def test_without_a_release_there_is_one_sentence(tmp_path: Path) -> None:
    assert refused(call("card", tmp_path)).startswith(f"{tmp_path}")
    assert "Missing argument 'RELEASE'" in misused(call("card"))
