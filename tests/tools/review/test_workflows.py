"""The workflow files: valid, pinned, of few rights, with no stranger's words in their scripts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pipeline.closure import ROOT

FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
LOCKS = sorted(ROOT.glob("requirements*.lock"))
READABLE = {"contents": "read"}
WRITERS = {
    "docs.yml": {"publish": {"pages": "write", "id-token": "write"}},
    "metrics-comment.yml": {"comment": {"contents": "read", "pull-requests": "write"}},
    "release.yml": {"release": {"contents": "write"}},
}
"""What jobs may beyond reading, by workflow; those that run a fork's code are not among them."""


def load(file: Path) -> dict[Any, Any]:
    values: dict[Any, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return values


def events(workflow: dict[Any, Any]) -> dict[str, Any]:
    return dict(workflow[True])  # YAML reads the key `on` as true


def steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_all_are_here() -> None:
    names = {"ci.yml", "docs.yml", "lock.yml", "metrics.yml", "metrics-comment.yml", "release.yml"}
    assert {file.name for file in FILES} == names


def test_they_are_valid_workflows() -> None:
    command = [sys.executable, "-m", "check_jsonschema"]
    command += ["--builtin-schema", "vendor.github-workflows", *map(str, FILES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_actions_are_pinned_by_commit_with_their_version(file: Path) -> None:
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert re.search(r"uses: actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_one_action_has_one_version() -> None:
    found: dict[str, set[str]] = {}
    for file in FILES:
        for step in steps(load(file)):
            if "uses" in step:
                action, commit = step["uses"].split("@")
                found.setdefault(action, set()).add(commit)
    assert all(len(commits) == 1 for commits in found.values()), found


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_nothing_is_put_into_a_script(file: Path) -> None:
    """``${{ }}`` in ``run`` pastes text, a branch's name say, into the shell's program."""
    for step in steps(load(file)):
        assert "${{" not in step.get("run", ""), step
        assert "github-script" not in step.get("uses", "")


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_variables_of_a_script_are_quoted_and_known(file: Path) -> None:
    workflow = load(file)
    runner = {"GITHUB_STEP_SUMMARY", "GITHUB_REPOSITORY", "GITHUB_OUTPUT", "RUNNER_TEMP"}
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            script = step.get("run", "")
            known = runner | set(job.get("env", ())) | set(step.get("env", ()))
            for name in re.findall(r"\$\{?(\w+)", script):
                assert name in known, (name, script)
            assert not re.search(r"\$", re.sub(r'"[^"]*"', "", script)), script


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_rights_are_the_least(file: Path) -> None:
    workflow = load(file)
    assert workflow["permissions"] in ({}, READABLE)
    for name, job in workflow["jobs"].items():
        assert job.get("permissions") == WRITERS.get(file.name, {}).get(name)
        assert "timeout-minutes" in job


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_a_forks_code_meets_neither_secrets_nor_rights(file: Path) -> None:
    workflow = load(file)
    text = file.read_text(encoding="utf-8")
    assert "pull_request_target" not in text
    assert "secrets." not in text
    if "pull_request" in events(workflow):
        assert file.name not in WRITERS
        assert "github.token" not in text
    for step in steps(workflow):
        if "checkout" in step.get("uses", "") and file.name != "metrics-comment.yml":
            assert step["with"]["persist-credentials"] is False


def test_the_comment_runs_trusted_code_after_the_comparison() -> None:
    workflow = load(FOLDER / "metrics-comment.yml")
    watched = events(workflow)["workflow_run"]
    assert watched == {"workflows": [load(FOLDER / "metrics.yml")["name"]], "types": ["completed"]}
    (checkout,) = (s for s in steps(workflow) if "checkout" in s.get("uses", ""))
    assert checkout["with"]["ref"] == "${{ github.event.repository.default_branch }}"
    assert not [s for s in steps(workflow) if "artifact" in s.get("uses", "")]


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_every_script_is_this_repositorys(file: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tools.review", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    commands = {path.stem.replace("_", "-") for path in (ROOT / "samrs" / "commands").glob("*.py")}
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    for step in steps(load(file)):
        words = step.get("run", "").split()
        if not words:
            continue
        if words[0] == "make":
            assert set(words[1:]) <= set(targets)
        elif words[0] == ".venv/bin/samrs":
            assert words[1] in commands
        elif "tools.review" in words:
            assert words[words.index("tools.review") + 1] in told
        else:
            alone = words[0] in ("gh", "echo") or words[:3] == ["uv", "pip", "install"]
            assert words[:4] == ["python", "-m", "pip", "install"] or alone, words


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_what_is_installed_alone_is_pinned_by_hash_and_enough(file: Path) -> None:
    pins = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.M))
    for step in steps(load(file)):
        words = step.get("run", "").split()
        if "uv" in words:  # which holds what it installs against the hashes of its constraints
            assert words[words.index("--constraint") + 1] == "requirements.lock"
            assert set(words[words.index("requirements.lock") + 1 :]) <= pins
        elif "pip" in words:
            assert words[-3:] == ["--require-hashes", "-r", "requirements-uv.lock"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda f: f.name)
def test_every_pin_has_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    entry = r"[A-Za-z0-9_.-]+==[^ ;\n]+( \\\n    --hash=sha256:[0-9a-f]{64})+\n"
    assert re.fullmatch(f"({entry})+", text)
    names = re.findall(r"^[A-Za-z0-9_.-]+(?===)", text, re.M)
    assert names == sorted(set(names))


def test_what_may_write_a_release_runs_nothing_of_the_repository() -> None:
    jobs = load(FOLDER / "release.yml")["jobs"]
    (step,) = jobs["release"]["steps"]
    assert step["run"].split()[0] == "gh"
    assert "uses" not in step
    assert "${{" not in step["run"]
    assert "permissions" not in jobs["notes"]


@pytest.mark.parametrize(
    ("module", "installed"),
    [("tools.review.__main__", {"ruamel"}), ("tools.review.comment", {"ruamel", "requests"})],
)
def test_a_command_imports_no_more_than_its_workflow_installs(
    module: str, installed: set[str]
) -> None:
    code = f"import sys, {module}; print(*{{m.split('.')[0] for m in sys.modules}})"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    ours = {"ruamel", "requests", "yaml", "torch", "numpy", "pandas", "pyarrow", "dvc", "jinja2"}
    assert ours & set(done.stdout.split()) == installed


def test_a_release_pushed_with_all_its_tags_starts_its_workflow() -> None:
    """GitHub makes no event for tags of which more than three are pushed at once."""
    artifacts = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["artifacts"]
    assert 1 + len(artifacts) > 3
    push = events(load(FOLDER / "release.yml"))["push"]
    assert (push["branches"], push["paths"]) == (["main"], ["CHANGELOG.md"])
    jobs = load(FOLDER / "release.yml")["jobs"]
    made, *later = [
        s for s in jobs["notes"]["steps"] if re.search(r"tools\.review|git tag", str(s.get("run")))
    ]
    assert "git tag" in made["run"]
    assert [s["if"] for s in later] == [f"steps.{made['id']}.outputs.tag"] * 2
    assert jobs["notes"]["outputs"]["tag"] == "${{ steps.release.outputs.tag }}"
    assert jobs["release"]["if"] == "needs.notes.outputs.tag"


def test_the_tag_of_a_release_is_that_of_the_commit(tmp_path: Path) -> None:
    (script,) = (
        step["run"] for step in steps(load(FOLDER / "release.yml")) if step.get("id") == "release"
    )
    output = tmp_path / "output"

    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    def found() -> str:
        env = {**os.environ, "GITHUB_OUTPUT": str(output)}
        output.unlink(missing_ok=True)
        subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=env, check=True)
        return output.read_text()

    git("init")
    git("commit", "--allow-empty", "-m", "one")
    assert found() == "tag=\n"
    for name in ("sota@v1.10.0", "v1.9.0", "v1.10.0", "v2", "very-1.2.3"):
        git("tag", "-a", name, "-m", name)
    assert found() == "tag=v1.10.0\n"
    git("commit", "--allow-empty", "-m", "two")
    assert found() == "tag=\n"


def test_notes_are_an_output_of_a_step_whatever_they_hold(tmp_path: Path) -> None:
    (tmp_path / "CHANGELOG.md").write_text("# C\n\n## v1.0.0\n\n- one\nEOF\nname=evil\n")
    words = ["-m", "tools.review", "notes", "v1.0.0", "--as-output", "notes"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    runs = [
        subprocess.run([sys.executable, *words], cwd=tmp_path, env=env, capture_output=True,
                       text=True, check=True).stdout
        for _ in range(2)
    ]  # fmt: skip
    ends = []
    for text in runs:
        first, *body, last = text.splitlines()
        assert body == ["- one", "EOF", "name=evil"]
        assert first == f"notes<<{last}"
        ends.append(last)
    assert ends[0] != ends[1]
