"""A wrong parameter costs no output, and a stage finds its Python, with real dvc."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.closure import ROOT
from tests.pipeline.stand_in import environment, few, make, ran, run

LABELS = "data/sam_label/dota/digest.txt"


def set_line(root: Path, old: str, new: str) -> None:
    params = root / "params.yaml"
    text = params.read_text(encoding="utf-8")
    assert text.count(old) == 1
    params.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Stand-ins for all stages but ``check``, reproduced up to a release."""
    root = tmp_path / "project"
    make(root, "release@dota", **few("dota", "hrsc2016"))
    for name in ("check.py", "stage.py"):
        shutil.copy(ROOT / "stages" / name, root / "stages" / name)
    assert "release@dota" in ran(root, "repro", "-q", "release@dota")
    run(root, "git", "commit", "-qam", "Check")
    return root


def test_a_typo_in_the_parameters_leaves_every_output_in_place(project: Path) -> None:
    before = (project / LABELS).read_bytes()
    set_line(project, "\nprompt: auto", "\nprompt: hboxx\npromt: hbox")
    said = run(project, "dvc", "repro", "release@dota", status=255)
    assert "got 'hboxx'" in said
    assert "did you mean hbox?" in said
    assert "unknown parameter, got promt" in said
    assert "did you mean prompt?" in said
    assert (project / LABELS).read_bytes() == before
    run(project, "git", "checkout", "-q", "params.yaml")
    said = run(project, "dvc", "exp", "run", "-S", "normalize.dota.tile=-1", status=255)
    assert "params.yaml: normalize.dota" in said
    assert (project / LABELS).read_bytes() == before
    run(project, "git", "checkout", "-q", "params.yaml")
    assert ran(project, "repro", "release@dota") == set()


@pytest.mark.parametrize("file", ["samrs/core/geometry.py", "stages/stage.py"])
def test_code_that_every_stage_imports_reruns_every_stage(project: Path, file: str) -> None:
    with (project / file).open("a", encoding="utf-8") as code:
        code.write("# a comment\n")
    every = {"download@dota", "normalize@dota", "weights", "sam-label@dota"}
    assert ran(project, "repro", "release@dota") == every | {"release@dota"}


def test_code_that_keeps_finished_work_reruns_the_stages_that_do(project: Path) -> None:
    with (project / "samrs/work/kept.py").open("a", encoding="utf-8") as code:
        code.write("# a comment\n")
    assert "sam-label@dota" in (again := ran(project, "repro", "release@dota"))
    assert not {"download@dota", "weights"} & again


def test_other_code_leaves_what_the_check_writes_as_it_is(project: Path) -> None:
    with (project / "samrs/release/release.py").open("a", encoding="utf-8") as code:
        code.write("# a comment\n")
    assert ran(project, "repro", "release@dota") == {"release@dota"}


@pytest.mark.parametrize("way", ["script", "module"])
def test_dvc_of_an_environment_that_is_not_active_runs_stages_by_its_python(
    tmp_path: Path, way: str
) -> None:
    root = tmp_path / "project"
    make(root, "check", **few("dota", "hrsc2016"))
    decoy = tmp_path / "bin" / "python"
    decoy.parent.mkdir()
    decoy.write_text("#!/bin/sh\nexit 1\n")
    decoy.chmod(0o755)
    binaries = Path(sys.executable).parent
    asked = [binaries / "dvc"] if way == "script" else [binaries / "python", "-m", "dvc"]
    path = os.pathsep.join([str(decoy.parent), "/usr/bin", "/bin"])
    env = {name: value for name, value in environment(root).items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        [*asked, "repro", "-f", "download@dota"],
        cwd=root,
        env={**env, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (root / "ran.txt").read_text().split()[-2:] == ["check", "download@dota"]


def test_a_dvc_installed_on_its_own_runs_stages_by_the_python_on_the_path(tmp_path: Path) -> None:
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "__init__.py").touch()
    (tmp_path / "stages" / "who.py").write_text("import sys; print(sys.executable, sys.argv[1:])")
    shutil.copy(ROOT / "stages" / "run", tmp_path / "stages" / "run")
    alone = tmp_path / "alone" / "bin"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", alone.parent], check=True)
    dvc = alone / "dvc"
    call = "import subprocess; subprocess.run(['/bin/sh', '-c', 'exec stages/run who a b'])"
    dvc.write_text(f"#!{alone / 'python'}\n{call}\n")
    dvc.chmod(0o755)
    said = run(tmp_path, str(dvc))
    assert said == f"{Path(sys.executable).parent / 'python'} ['a', 'b']\n"
