"""``samrs audit`` asks the library for what it is given, and refuses what cannot be first."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from samrs.commands.audit import RECIPES
from samrs.download.download import download
from samrs.prompting.recipes import parse_recipes
from tests.commands.calls import call, misused, refused


def test_it_fills_a_document_and_prints_tables(tmp_path: Path) -> None:
    folder = tmp_path / "ships"
    demo = {"scenes": 2, "seed": 4, "edition": None, "terms_accepted": False, "parallel": 1}
    download("hrsc2016", folder, origin="demo", inbox=tmp_path / "inbox", **demo)
    page = tmp_path / "quality.md"
    page.write_text("before\n<!-- audit:hrsc2016 -->\nold\n<!-- /audit:hrsc2016 -->\nafter\n")
    out = tmp_path / "out"
    given = ["--recipes", "hbox", "--limit", "1", "--device", "cpu", "--threads", "1"]
    given += ["--precision", "float32-fast"]  # other tests share the process
    done = call("audit", "hrsc2016", folder, "--out", out, "--fill", page, *given)
    assert done.exit_code == 0, done.output
    text = page.read_text(encoding="utf-8")
    tables = (out / "tables.md").read_text(encoding="utf-8")
    assert text == (
        f"before\n<!-- audit:hrsc2016 -->\n\n{tables}\n<!-- /audit:hrsc2016 -->\nafter\n"
    )
    assert "mIOU_I" in done.stdout
    assert "seconds: " in done.stdout
    assert re.search(r"^hbox +[0-9.]+ +[0-9.]+ +1\.00$", done.stdout, re.MULTILINE)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the library is asked for, which then writes nothing."""
    calls: list[dict[str, Any]] = []

    def audit(dataset: str, folder: Path, out: Path, **given: Any) -> None:
        calls.append({"dataset": dataset, "folder": folder, "out": out, **given})

    monkeypatch.setattr("samrs.audit.audit.audit", audit)
    monkeypatch.setattr("samrs.audit.tables.audit_text", lambda out: "")
    return calls


def test_the_usual_values_are_those_of_the_documents(asked: list[dict[str, Any]]) -> None:
    assert call("audit", "coco", "in", "--out", "out").exit_code == 0
    assert asked == [
        {
            "dataset": "coco",
            "folder": Path("in"),
            "out": Path("out"),
            "truth": None,
            "recipes": RECIPES,
            "model": "nano",
            "precision": "float32",
            "tile": None,
            "overlap": 0,
            "limit": None,
            "runtime": {"executor": "local", "device": "auto", "threads": None, "workers": 0},
        }
    ]
    assert [recipe.name for recipe in parse_recipes(RECIPES)] == list(RECIPES)


def test_options_are_repeated(asked: list[dict[str, Any]]) -> None:
    words = "audit dota in --truth isaid --tile 1024 --out out -r hbox --recipes hbox+point"
    assert call(*words.split(), "--executor", "ray", "--threads", "2").exit_code == 0
    (given,) = asked
    assert given["recipes"] == ("hbox", "hbox+point")
    assert (given["truth"], given["tile"], given["overlap"]) == ("isaid", 1024, 200)
    assert given["runtime"] == {"executor": "ray", "device": "auto", "threads": 2, "workers": 0}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--limit 0", "0 is not in the range x>=1"),
        ("--tile -3", "-3 is not in the range x>=1"),
        ("--threads -1", "-1 is not in the range x>=1"),
        ("--device gpu", "'gpu' is not one of 'auto', 'cpu', 'cuda'"),
        ("--truth dotta", "'dotta' is not one of"),
        ("--recipes hbox,zoom", "got 'hbox,zoom'; repeat it: --recipes hbox --recipes zoom"),
        ("--out .gitignore", "is a file"),
    ],
)
def test_what_cannot_be_is_wrong_usage(
    words: str, said: str, asked: list[dict[str, Any]], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path(".gitignore").touch()
    out = [] if "--out" in words else ["--out", "out"]
    assert said in misused(call("audit", "coco", "in", *out, *words.split()))
    assert not asked
    assert not Path("out").exists()


def test_what_the_library_refuses_is_one_sentence(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("audit", "dota", tmp_path / "nowhere", "--out", out)
    assert "no dota dataset, got no such folder" in refused(call(*words))
    assert "unknown name, got 'hobx'" in refused(call(*words, "-r", "hobx"))
    assert "no place for the tables" in refused(call(*words, "--fill", tmp_path / "no.md"))
