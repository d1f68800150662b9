"""params.yaml is read as DVC reads it; what a stranger may have written there is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as some

from samrs.core.errors import ParameterError
from samrs.core.parameters import (
    LEVELS,
    VALUES,
    check_section,
    grouped,
    load_yaml,
    parse_parameters,
    schema,
    yaml_text,
)
from tests.pipeline.closure import ROOT
from tests.pipeline.stand_in import run


@pytest.mark.parametrize(
    ("written", "value"),
    [("5e-05", 5e-5), ("1e-5", 1e-5), ("yes", "yes"), ("on", "on"), ("", None), ("1_0", 10)],
)
def test_values_are_those_of_yaml_1_2(written: str, value: object) -> None:
    assert parse_parameters(f"a: {written}".encode()) == {"a": value}


def test_they_are_those_that_dvc_hands_to_a_stage() -> None:
    from dvc.utils.serialize import parse_yaml

    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert parse_parameters(text.encode()) == parse_yaml(text, "params.yaml")


def test_a_small_rate_that_dvc_wrote_is_a_number(tmp_path: Path) -> None:
    run(tmp_path, "git", "init", "-q")
    run(tmp_path, "dvc", "init", "-q")
    (tmp_path / "params.yaml").write_text("finetune:\n  lr: 0.001\n")
    (tmp_path / "dvc.yaml").write_text("stages:\n  a:\n    cmd: echo\n    params: [finetune]\n")
    run(tmp_path, "git", "add", "-A")
    run(tmp_path, "git", "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "One")
    run(tmp_path, "dvc", "exp", "run", "-q", "-S", "finetune.lr=0.00005")
    written = (tmp_path / "params.yaml").read_bytes()
    assert b"5e-05" in written
    assert parse_parameters(written) == {"finetune": {"lr": 5e-5}}


@pytest.mark.parametrize(
    "content",
    [
        "a: &name {x: 1}\nb: *name",
        "{a: " * (LEVELS + 1) + "1" + "}" * (LEVELS + 1),
        "- " * (LEVELS + 1) + "1",
        "[" + "a, " * VALUES + "a]",
        "a: " + "9" * 5000,
        "a: 2001-99-99",
        "a: !!python/object/apply:os.getcwd []",
        "? {a: b}\n: 1",
        "a: 1\na: 2",
        "a: 1\n---\nb: 2",
        "a: [",
        "- 1",
        "",
        "a: \0",
        "a: b\n  c: d",
    ],
    ids=lambda text: text[:16],
)
def test_other_content_is_refused_in_one_sentence(content: str) -> None:
    with pytest.raises(ParameterError, match=r"^params\.yaml: (unreadable|no parameters)") as told:
        parse_parameters(content.encode())
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 300


TEXTS = some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\ufeff"))


@given(TEXTS, TEXTS)
@example("yes", "NO")
@example("1e3", "0o17")
@example("010", "12:30:45")
@example("null", "~")
@example("- a", "a: b")
@example("2024-01-01", "<<")
@example("", " a ")
@example(".5", "=")
def test_what_is_written_is_read_alike_by_yaml_1_1_and_1_2(first: str, second: str) -> None:
    value = {"train": "images/train", "names": {0: first, 1: second}, "list": [first], "none": None}
    written = yaml_text(value)
    assert yaml.safe_load(written) == value
    assert load_yaml(written) == value


def test_as_text_every_scalar_is_what_stands_there() -> None:
    written = "a: [yes, 010, 1e3, null, 2024-01-01, 'x']\n1: 0x10\nb:\n"
    assert load_yaml(written, as_text=True) == {
        "a": ["yes", "010", "1e3", "null", "2024-01-01", "x"],
        "1": "0x10",
        "b": "",
    }
    with pytest.raises(ValueError, match="the tag"):
        load_yaml("a: !!int 5", as_text=True)


@dataclass(frozen=True, kw_only=True)
class Sides:
    width: int
    height: float


def drawn(where: str, *, colour: str, sides: Sides, seed: int) -> None:
    """A function whose section has a part."""


def test_the_fields_of_a_dataclass_are_parameters_of_the_section() -> None:
    values = {"colour": "red", "width": 2, "height": 1.5}
    assert schema(drawn) == {"colour": str, "width": int, "height": float, "seed": int}
    checked = check_section(drawn, values, "draw", ["seed"])
    assert grouped(drawn, checked) == {"colour": "red", "sides": Sides(width=2, height=1.5)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 2.5}, r"wrong type, got draw\.width = 2\.5; int is allowed"),
        ({"sides": {}}, r"unknown parameter, got draw\.sides; colour, width, height are allowed"),
    ],
)
def test_a_part_that_does_not_fit_is_refused(change: dict[str, object], message: str) -> None:
    values = {"colour": "red", "width": 2, "height": 1.5, **change}
    with pytest.raises(ParameterError, match=message):
        check_section(drawn, values, "draw", ["seed"])


@dataclass(frozen=True)
class Given:
    """What a stage passes itself: not made of keywords."""

    name: str
    size: int


def labelled(*, colour: str, given: Given, sides: Sides) -> None:
    """A function that takes a value made by its caller beside a group."""


def test_a_dataclass_that_the_caller_gives_is_no_group() -> None:
    section = {"colour": "red", "width": 2, "height": 1.5}
    checked = check_section(labelled, section, "labelled", ["given"])
    assert grouped(labelled, checked) == {"colour": "red", "sides": Sides(width=2, height=1.5)}
