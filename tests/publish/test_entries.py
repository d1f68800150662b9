"""Versions, tags and the changelog: text in, text out."""

from __future__ import annotations

import pytest

from samrs.publish.artifacts import Artifact, Figures
from samrs.publish.changelog import HOW_TO_CHECK, released, unreleased, with_release
from samrs.publish.repository import PublishError
from samrs.publish.tags import check_version, release_tags

SOTA = Artifact("sota", "data/release/sota", "dataset")
NANO = Artifact("nano", "samrs/models/nano.safetensors", "model")
BEFORE = """# Changelog

Versions are those of the data.

## Unreleased

- Ships are whole.
  Harbors are not.

## 0.9.0 (2026-01-02)

- First.
"""
AFTER = f"""# Changelog

Versions are those of the data.

## Unreleased

## 1.0.0 (2026-11-22)

- Ships are whole.
  Harbors are not.

| artifact | path | files | bytes | sha256 |
| --- | --- | --- | --- | --- |
| sota | `data/release/sota` | 4 | 4096 | `ab` |
| nano | `samrs/models/nano.safetensors` | 1 | 7 | `cd` |

{HOW_TO_CHECK}

## 0.9.0 (2026-01-02)

- First.
"""


@pytest.mark.parametrize("version", ["0.0.0", "1.0.0", "10.20.30"])
def test_versions_are_three_numbers(version: str) -> None:
    assert check_version(version) == version


@pytest.mark.parametrize(
    "version",
    ["", "1", "1.0", "v1.0.0", "01.0.0", "1.0.0-rc1", "1.0.0 ", "1.0.0\n", "1.0.0.0", "١.0.0"],
)
def test_other_versions_are_refused(version: str) -> None:
    with pytest.raises(PublishError, match=r"x\.y\.z"):
        check_version(version)


def test_a_release_has_its_tag_and_one_per_artifact() -> None:
    assert release_tags("1.0.0", [SOTA, NANO]) == ["v1.0.0", "sota@v1.0.0", "nano@v1.0.0"]


def test_the_entry_takes_what_was_unreleased_and_says_what_was_published() -> None:
    published = {SOTA: Figures(4, 4096, "ab"), NANO: Figures(1, 7, "cd")}
    assert with_release(BEFORE, "1.0.0", "2026-11-22", published) == AFTER


def test_the_first_entry_needs_no_other() -> None:
    first = BEFORE.partition("## 0.9.0")[0]
    entry = with_release(first, "1.0.0", "2026-11-22", {SOTA: Figures(4, 4096, "ab")})
    assert entry.endswith(
        "- Ships are whole.\n  Harbors are not.\n\n" + entry[entry.index("| art") :]
    )
    assert entry.endswith(f"`ab` |\n\n{HOW_TO_CHECK}\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# Changelog\n", "got no line under '## Unreleased'"),
        ("# Changelog\n\n## Unreleased\n\n## 0.9.0\n\n- First.\n", "got no line under"),
        (AFTER, "an entry of 1.0.0 is there already"),
    ],
)
def test_a_release_needs_something_to_say(text: str, said: str) -> None:
    with pytest.raises(PublishError, match=said):
        unreleased(text, "1.0.0")


VERSIONS = """# Changelog

## Unreleased

- later

## 1.10.0 (2026-12-01)

- ten

## v1.1.0

- one

## [1.0.0-rc1]

- candidate

## 1.0.0
"""


def test_a_release_says_what_the_changelog_says() -> None:
    assert released(VERSIONS, "v1.10.0") == "- ten"
    assert released(VERSIONS, "v1.1.0") == "- one"
    assert released(VERSIONS, "v1.0.0-rc1") == "- candidate"
    assert released(AFTER, "v1.0.0").startswith("- Ships are whole.\n  Harbors are not.\n\n| art")
    for tag in ("v1.0.0", "v1.1", "v11.0.0", "v.*"):
        with pytest.raises(PublishError, match=r"CHANGELOG\.md: no entry"):
            released(VERSIONS, tag)
