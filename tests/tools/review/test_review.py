"""Two branches of a real repository, compared as a pull request is."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from samrs.core.errors import MissingInputError, ProductError, UnknownNameError
from tests.pipeline.stand_in import run
from tests.tools.review import changes
from tests.tools.review.changes import METRICS, MIOU, PARAMS, begin, git, save
from tools.review.commits import MAX_BYTES
from tools.review.markdown import render
from tools.review.review import review

PNG = "metrics/stats/a b.png"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """``main`` and, checked out, ``change`` that leaves it."""
    root = begin(tmp_path / "repo")
    save(root, files={PNG: b"before", "metrics/same.png": b"same"})
    git(root, "checkout", "-qb", "change")
    return root


def with_prompt(prompt: str, miou: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    params, metrics = copy.deepcopy(PARAMS), copy.deepcopy(METRICS)
    params["prompt"] = prompt
    metrics["prompt_ablation/summary"]["recipes"]["hbox"]["all"]["miou_i"] = miou
    metrics["sam_label/dota"] |= {"recipe": prompt, "mean_outside": 0.0105}
    metrics["stats"]["sota"]["classes"]["ship"]["instances"] = 5
    return params, metrics


def test_a_change_within_tolerances_passes_and_explains_itself(repo: Path) -> None:
    base = git(repo, "rev-parse", "main")
    head = save(repo, *with_prompt("rbox", 0.775), files={PNG: b"after"})
    done = changes.review(repo, "metrics", "main", "change", "--repository", "o/r")
    assert done.returncode == 0, done.stderr
    told = done.stdout
    assert "**Gate passed**" in told
    assert "<summary>2 guarded metrics are within tolerance</summary>" in told
    assert f"| `{' '.join(MIOU)}` | 0.78 | 0.775 | 0.005 | 0.01 |  |" in told
    assert "| `prompt` | `hbox` | `rbox` | – |" in told
    assert "release.min_area" not in told
    assert "#### `metrics/sam_label/dota.json`" in told
    assert "<summary>2 of 3 values changed</summary>" in told
    assert "| `mean_outside` | 0.0015 | 0.0105 | +0.009 |" in told
    assert "| `recipe` | `hbox` | `rbox` | – |" in told
    assert "| `sota.classes.ship.instances` | 4 | 5 | +1 |" in told
    for commit in (base, head):
        assert f"https://github.com/o/r/blob/{commit}/metrics/stats/a%20b.png?raw=true" in told
    assert "same.png" not in told


def test_the_comparison_is_that_of_dvc_metrics_diff(repo: Path) -> None:
    params, metrics = with_prompt("rbox", 0.70)
    metrics["new"] = {"a": 1, "b": {"c": 0.5}}
    del metrics["stats"]
    save(repo, params, metrics)
    found = review(repo, "main", "change")
    for kind, old, new in (
        ("metrics", found.old.metrics, found.new.metrics),
        (
            "params",
            {"params.yaml": found.old.parameters},
            {"params.yaml": found.new.parameters},
        ),
    ):
        paths = [*{**old, **new}]
        command = ("dvc", kind, "diff", "--json", "--all", "--targets", *paths, "--", "main")
        theirs = json.loads(run(repo, *command, "change"))
        ours = {
            path: {
                name: (old.get(path, {}).get(name), new.get(path, {}).get(name))
                for name in {**old.get(path, {}), **new.get(path, {})}
            }
            for path in paths
        }
        assert ours == {
            path: {name: (value["old"], value["new"]) for name, value in values.items()}
            for path, values in theirs.items()
        }


@pytest.mark.parametrize(
    ("direction", "new", "worse_by"),
    [
        ("maximize", 0.77, None),  # 0.78 - 0.77 is 0.010000000000000009
        ("maximize", 0.769, "0.011"),
        ("maximize", 0.99, None),
        ("minimize", 0.79, None),
        ("minimize", 0.791, "0.011"),
        ("minimize", 0.1, None),
    ],
)
def test_a_loss_beyond_its_tolerance_shuts_the_gate(
    repo: Path, direction: str, new: float, worse_by: str | None
) -> None:
    params, metrics = with_prompt("rbox", new)
    params["guard"][MIOU[0]][MIOU[1]]["direction"] = direction
    save(repo, params, metrics)
    done = changes.review(repo, "metrics", "main", "change")
    if worse_by is None:
        assert (done.returncode, done.stderr) == (0, "")
        return
    assert done.returncode == 1
    assert "**Gate failed**: 1 of 2 guarded metrics. Mend the change" in done.stdout
    assert f"| `{' '.join(MIOU)}` | 0.78 | {new} | {worse_by} | 0.01 | **worse** |" in done.stdout
    assert done.stderr == (
        f"error: {MIOU[0]}: guarded metric {MIOU[1]} is worse by {worse_by}, 0.78 to {new}; 0.01 "
        "is tolerated; mend it, or raise its tolerance or remove it under guard in params.yaml\n"
    )


def test_a_raised_tolerance_opens_it_and_is_shown(repo: Path) -> None:
    params, metrics = with_prompt("rbox", 0.70)
    params["guard"][MIOU[0]][MIOU[1]]["tolerance"] = 0.1
    save(repo, params, metrics)
    found = review(repo, "main", "change")
    assert not found.failed
    assert "miou_i.tolerance` | 0.01 | 0.1 | +0.09 |" in render(found)


def test_a_metric_that_is_no_longer_guarded_is_named(repo: Path) -> None:
    params, metrics = with_prompt("rbox", 0.70)
    del params["guard"][MIOU[0]]
    save(repo, params, metrics)
    found = review(repo, "main", "change")
    assert not found.failed
    told = render(found)
    assert f"No longer guarded, which the reviewer must agree to:\n\n`{' '.join(MIOU)}`" in told


@pytest.mark.parametrize("miou", ["0.78", True, None])
def test_a_guarded_metric_that_is_no_number_fails(repo: Path, miou: Any) -> None:
    save(repo, *with_prompt("rbox", miou))
    done = changes.review(repo, "metrics", "main", "change")
    assert done.returncode == 1
    assert "is gone or no number, 0.78 to None;" in done.stderr
    assert "| 0.78 | – | – | 0.01 | **gone** |" in done.stdout


def test_a_guarded_metric_whose_file_is_gone_fails(repo: Path) -> None:
    params, metrics = with_prompt("rbox", 0.78)
    del metrics["prompt_ablation/summary"]
    save(repo, params, metrics)
    assert [v.guard.name for v in review(repo, "main", "change").failed] == [MIOU[1]]


def test_a_new_metric_has_nothing_to_lose(repo: Path) -> None:
    params, metrics = with_prompt("rbox", 0.78)
    metrics["new"] = {"loss": 5.0}
    entry = {"direction": "minimize", "tolerance": 0}
    params["guard"]["metrics/new.json"] = {"loss": entry}
    save(repo, params, metrics)
    found = review(repo, "main", "change")
    assert not found.failed
    assert "| `metrics/new.json loss` | – | 5 | – | 0 |  |" in render(found)


def test_a_misspelt_guard_is_refused_by_name(repo: Path) -> None:
    params, metrics = with_prompt("rbox", 0.78)
    params["guard"]["metrics/sam_label/dota.json"]["mean_outsid"] = PARAMS["guard"][MIOU[0]][
        MIOU[1]
    ]
    save(repo, params, metrics)
    done = changes.review(repo, "metrics", "main", "change")
    assert (done.returncode, done.stdout) == (1, "")
    assert "unknown metric, got guard of mean_outsid in metrics/sam_label/dota.json" in done.stderr
    assert "did you mean mean_outside?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_base_whose_guard_is_wrong_can_be_mended(repo: Path) -> None:
    git(repo, "checkout", "-q", "main")
    save(repo, PARAMS | {"guard": {"sam_label.dota.mean_outside": 0.1}})
    git(repo, "checkout", "-q", "-B", "change")
    save(repo)
    found = review(repo, "main", "change")
    assert (found.failed, found.unguarded) == ([], [])


def test_what_came_to_the_base_since_is_no_change_of_the_head(repo: Path) -> None:
    save(repo, *with_prompt("rbox", 0.78))
    git(repo, "checkout", "-q", "main")
    params = {**PARAMS, "release": {"min_area": 99}}
    save(repo, params, files={"metrics/new.png": b"new"})
    told = render(review(repo, "main", "change"))
    assert "min_area" not in told
    assert "new.png" not in told
    assert "| `prompt` | `hbox` | `rbox` | – |" in told


def test_nothing_changed_says_so(repo: Path) -> None:
    save(repo)
    told = render(review(repo, "main", "change"))
    assert "No parameter changed." in told
    assert "No metric changed." in told
    assert "Plots" not in told


def test_the_working_tree_is_neither_read_nor_written(repo: Path) -> None:
    save(repo, *with_prompt("rbox", 0.775))
    expected = render(review(repo, "main", "change"))
    (repo / "params.yaml").write_text("prompt: [broken")
    (repo / "metrics" / "stats.json").unlink()
    status = git(repo, "status", "--porcelain")
    assert render(review(repo, "main", "change")) == expected
    assert git(repo, "status", "--porcelain") == status


def test_a_hostile_change_stays_in_its_cells(repo: Path) -> None:
    evil = "x` | @everyone <img src=x onerror=alert(1)> ![a](http://b) \n\n# hi"
    params, metrics = with_prompt(evil, 0.1)
    metrics["sam_label/dota"][evil] = evil
    metrics[f"stats`evil{'x' * 100}</summary><script>"] = {"</summary><script>": "</details>"}
    params["guard"]["metrics/sam_label/dota.json"][evil] = PARAMS["guard"][MIOU[0]][MIOU[1]]
    save(repo, params, metrics, {'metrics/"><script>.png': b"x"})
    for longest in (None, 3000, 2000):
        told = render(review(repo, "main", "change"), "o/r", longest)
        outside = "".join(told.split("`")[::2])
        assert told.count("`") % 2 == 0
        for word in ("@everyone", "<script", "</summary><", "onerror", "](http", "# hi"):
            assert word not in outside, word
    told = render(review(repo, "main", "change"), "o/r")
    assert '/metrics/%22%3E%3Cscript%3E.png?raw=true">' in told
    done = changes.review(repo, "metrics", "main", "change")
    assert all(line.startswith("error: ") for line in done.stderr.splitlines())


def test_values_that_are_no_values_are_refused_in_a_sentence(repo: Path) -> None:
    save(repo, files={"metrics/x.json": b'{"a": ' + b"9" * 400 + b"}"})
    done = changes.review(repo, "metrics", "main", "change")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: metrics/x.json: unusable value, got int that")
    assert done.stderr.count("\n") == 1


def test_links_and_large_files_are_not_followed(repo: Path) -> None:
    save(repo)
    (repo / "metrics" / "link.json").symlink_to("/etc/passwd")
    save(repo)
    assert "No metric changed." in render(review(repo, "main", "change"))
    save(repo, files={"metrics/large.json": b" " * (MAX_BYTES + 1)})
    with pytest.raises(ProductError, match=r"too much to compare, got 5 files of 4,\d+,\d+ bytes"):
        review(repo, "main", "change")


def test_unknown_commits_and_options_are_no_commits(repo: Path) -> None:
    for name in ("nowhere", "--output=x", "main:params.yaml"):
        with pytest.raises(UnknownNameError, match=rf"git rev-parse .* {name}\^"):
            review(repo, name, "change")
    git(repo, "checkout", "-q", "--orphan", "alone")
    git(repo, "rm", "-rqf", ".")
    git(repo, "commit", "-qm", "Nothing", "--allow-empty")
    with pytest.raises(UnknownNameError, match=r"git merge-base .*: failed"):
        review(repo, "main", "alone")
    with pytest.raises(MissingInputError, match="no parameters"):
        review(repo, "alone", "alone")


def test_a_long_review_drops_its_longest_tables_and_says_so(repo: Path) -> None:
    params, metrics = with_prompt("rbox", 0.775)
    metrics["sam_label/dota"] |= {f"m{n}": n for n in range(3000)}
    save(repo, params, metrics)
    found = review(repo, "main", "change")
    told = render(found)
    short = render(found, longest=5000)
    assert len(short) <= 5000 < len(told)
    assert short.rstrip().endswith("has all of it._")
    assert "**Gate passed**" in short
    assert "| `prompt` | `hbox` | `rbox` | – |" in short
    assert "#### `metrics/sam_label/dota.json`\n\n3002 of 3003 values changed" in short
    assert "| `sota.classes.ship.instances` |" in short
    assert len(render(found, longest=300)) <= 300
