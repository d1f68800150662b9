"""Layers of dependencies: each package is of one, and a missing one is named."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from samrs.core.errors import MissingExtraError, SamrsError, extra_of, named_extra
from tests.package.hidden import EXTRAS, run
from tests.pipeline.closure import ROOT


@cache
def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"])


@cache
def distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def imported(file: Path) -> set[str]:
    """Top-level modules of other projects that a file imports, wherever in it."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module.partition(".")[0])
    return modules - {"samrs", "stages"} - sys.stdlib_module_names


MODULES = sorted(set.union(*(imported(f) for f in (ROOT / "samrs").rglob("*.py"))) - {"ray"})


@pytest.mark.parametrize("module", MODULES)
def test_what_the_library_imports_is_of_the_base_or_of_an_extra(module: str) -> None:
    brought_by = {name.lower().replace("_", "-") for name in distributions()[module]}
    base = brought_by & set(project()["dependencies"])
    assert bool(base) != bool(extra_of(module)), f"{module}: {sorted(brought_by)}"
    assert (module in EXTRAS) == (not base)


def test_no_layer_names_a_package_that_a_layer_below_brings() -> None:
    extras: dict[str, list[str]] = project()["optional-dependencies"]

    def brought(names: list[str]) -> list[str]:
        """The packages of a layer, and of those it is built on."""
        found = []
        for name in names:
            below = name.removeprefix("samrs[").removesuffix("]")
            found += brought(extras[below]) if name.startswith("samrs[") else [name]
        return found

    for names in extras.values():
        together = [*project()["dependencies"], *brought(names)]
        assert sorted(set(together)) == sorted(together)


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("torch", "label"),
        ("segment_anything", "label"),
        ("sklearn", "train"),
        ("lightning", "train"),
        ("ray", "ray"),
        ("dvc", "dvc"),
        ("numpy", None),
        ("no_such_module", None),
    ],
)
def test_the_extra_of_a_module(module: str, extra: str | None) -> None:
    assert extra_of(module) == extra


def test_a_package_of_an_extra_is_named_in_one_sentence() -> None:
    with pytest.raises(MissingExtraError) as caught, named_extra():
        raise ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")
    assert str(caught.value) == (
        "samrs: a package is not installed, got no module 'torch'; it comes with the extra label; "
        "run pip install 'samrs[label]'"
    )


def test_what_led_to_an_import_error_is_named() -> None:
    cause = ModuleNotFoundError("No module named 'dvc'", name="dvc")
    with pytest.raises(MissingExtraError, match=r"'dvc'.*'samrs\[dvc\]'"), named_extra():
        raise ImportError("Install dvc to access DVC") from cause


def test_other_import_errors_stay_what_they_are() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such") as caught, named_extra():
        raise ModuleNotFoundError("No module named 'no_such'", name="no_such")
    assert not isinstance(caught.value, SamrsError)
    with pytest.raises(ImportError, match="cannot import name"), named_extra():
        raise ImportError("cannot import name 'x' from 'torch'", name="torch")


CODES = [
    ("torch", "label", "from samrs.data import ReleaseTiles"),
    ("torch", "label", "axis.load('samrs.segmenters', 'sam')"),
    ("rasterio", "label", "axis.load('samrs.datasets', 'potsdam', 'read')"),
    ("ray", "ray", "axis.load('samrs.executors', 'ray')"),
    ("dvc", "dvc", "from samrs import data\ndata.ReleaseReader(data.open_remote('.', 'sota'))"),
]


@pytest.mark.parametrize(("module", "extra", "code"), CODES, ids=[c[2][:40] for c in CODES])
def test_a_hidden_package_ends_a_script_with_that_sentence(
    module: str, extra: str, code: str, tmp_path: Path
) -> None:
    done = run(f"from samrs.core import axis\n{code}\n", without=[module], folder=tmp_path)
    assert done.stderr.splitlines()[-1] == (
        f"samrs.core.errors.MissingExtraError: samrs: a package is not installed, got no module "
        f"{module!r}; it comes with the extra {extra}; run pip install 'samrs[{extra}]'"
    )


def test_tables_need_no_torch(tmp_path: Path) -> None:
    code = "from samrs.data import Folder, ReleaseReader, open_remote\nprint(ReleaseReader)\n"
    done = run(code, without=EXTRAS, folder=tmp_path)
    assert done.stdout == "<class 'samrs.data.reader.ReleaseReader'>\n", done.stderr


def test_an_unknown_name_of_data_is_refused() -> None:
    from samrs import data

    with pytest.raises(AttributeError, match=r"module 'samrs.data' has no attribute 'Tile'"):
        data.Tile  # noqa: B018
