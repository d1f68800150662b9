"""Two branches of a real repository, compared as a pull request is."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from samrs.core.errors import MissingInputError, ProductError, UnknownNameError
from samrs.review import markdown
from samrs.review.markdown import render
from samrs.review.review import review
from samrs.review.revisions import MAX_BYTES
from tests.pull_requests import changes
from tests.pull_requests.changes import METRICS, PARAMS, begin, git, save

PNG = "metrics/stats/a b.png"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """``main`` and, checked out, ``change`` that leaves it."""
    root = begin(tmp_path / "repo")
    save(root, files={PNG: b"before", "metrics/same.png": b"same"})
    git(root, "checkout", "-qb", "change")
    return root


def with_prompt(prompt: str, miou: float) -> tuple[dict[str, Any], dict[str, Any]]:
    params, metrics = copy.deepcopy(PARAMS), copy.deepcopy(METRICS)
    params["prompt"] = prompt
    metrics["prompt_ablation/summary"]["recipes"]["hbox"]["all"]["miou_i"] = miou
    metrics["sam_label/dota"] |= {"recipe": prompt, "mean_outside": 0.0105}
    metrics["stats"]["sota"]["mask_sizes"][1]["count"] = 5
    return params, metrics


def test_a_change_within_tolerances_passes_and_explains_itself(repo: Path) -> None:
    base = git(repo, "rev-parse", "main")
    head = save(repo, *with_prompt("rbox", 0.775), files={PNG: b"after"})
    done = changes.review(repo, "metrics", "main", "change", "--repository", "o/r")
    assert done.returncode == 0, done.stderr
    told = done.stdout
    assert "**Gate passed**: 2 guarded metrics are within their tolerances." in told
    assert "| `prompt` | `hbox` | `rbox` |" in told
    assert "release.min_area" not in told
    assert "| `dota.mean_outside` | 0.0015 | 0.0105 | +0.009 | ▲ worse |" in told
    assert "| `dota.recipe` | `hbox` | `rbox` | – |  |" in told
    assert "| `recipes.hbox.all.miou_i` | 0.78 | 0.775 | −0.005 | ▼ worse |" in told
    assert "| `sota.mask_sizes.1.count` | 4 | 5 | +1 | ▲ |" in told
    order = [told.index(f"#### `{stage}`") for stage in ("sam_label", "stats", "prompt_ablation")]
    assert order == sorted(order), "stages stand in the order of dvc.yaml"
    folded = told[told.index("3 metrics are unchanged") :]
    assert "| `sam_label.dota.tiles` | 12 |" in folded
    for commit in (base, head):
        assert f"https://github.com/o/r/blob/{commit}/metrics/stats/a%20b.png?raw=true" in told
    assert "same.png" not in told


def test_a_loss_beyond_its_tolerance_shuts_the_gate(repo: Path) -> None:
    save(repo, *with_prompt("rbox", 0.70))
    done = changes.review(repo, "metrics", "main", "change")
    assert done.returncode == 1
    name = "prompt_ablation.recipes.hbox.all.miou_i"
    assert "**Gate failed**: 1 of 2 guarded metrics." in done.stdout
    assert f"| `{name}` | 0.78 | 0.7 | 0.08 | 0.01 | **worse** |" in done.stdout
    assert f"error: {name}: guarded metric is worse by 0.08, 0.78 to 0.7" in done.stderr
    assert "raise or remove its line under guard in params.yaml" in done.stderr


def test_a_raised_tolerance_opens_it_and_is_shown(repo: Path) -> None:
    params, metrics = with_prompt("rbox", 0.70)
    params["guard"]["prompt_ablation.recipes.hbox.all.miou_i"] = 0.1
    save(repo, params, metrics)
    found = review(repo, "main", "change")
    assert found.passed
    row = "| `guard.prompt_ablation.recipes.hbox.all.miou_i` | 0.01 | 0.1 |"
    assert row in render(found)


def test_a_metric_that_is_no_longer_guarded_is_named(repo: Path) -> None:
    params, metrics = with_prompt("rbox", 0.70)
    del params["guard"]["prompt_ablation.recipes.hbox.all.miou_i"]
    save(repo, params, metrics)
    found = review(repo, "main", "change")
    assert found.passed
    told = render(found)
    assert "No longer guarded, which the reviewer must agree to: `prompt_ablation.rec" in told


def test_a_guarded_metric_whose_file_is_gone_fails(repo: Path) -> None:
    params, metrics = with_prompt("rbox", 0.78)
    del metrics["prompt_ablation/summary"]
    save(repo, params, metrics)
    done = changes.review(repo, "metrics", "main", "change")
    assert done.returncode == 1
    assert "guarded metric is missing or no finite number, was 0.78;" in done.stderr
    assert "| 0.78 | – | – | 0.01 | **missing** |" in done.stdout


def test_a_misspelt_guard_is_refused_by_name(repo: Path) -> None:
    params, metrics = with_prompt("rbox", 0.78)
    params["guard"]["sam_label.dota.mean_outsid"] = 0.1
    save(repo, params, metrics)
    done = changes.review(repo, "metrics", "main", "change")
    assert (done.returncode, done.stdout) == (1, "")
    assert "unknown metric, got guard: sam_label.dota.mean_outsid" in done.stderr
    assert "such as sam_label.dota.mean_outside" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_came_to_the_base_since_is_no_change_of_the_head(repo: Path) -> None:
    save(repo, *with_prompt("rbox", 0.78))
    git(repo, "checkout", "-q", "main")
    params = {**PARAMS, "release": {"min_area": 99}}
    save(repo, params, files={"metrics/new.png": b"new"})
    told = render(review(repo, "main", "change"))
    assert "min_area" not in told
    assert "new.png" not in told
    assert "| `prompt` | `hbox` | `rbox` |" in told


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
    params, metrics = with_prompt(evil, 0.78)
    metrics["sam_label/dota"][evil] = evil
    metrics[f"stats`evil{'x' * 100}"] = {"</summary><script>": "</details>"}
    save(repo, params, metrics, {'metrics/"><script>.png': b"x"})
    told = render(review(repo, "main", "change"), "o/r")
    outside = "".join(told.split("`")[::2])
    assert told.count("`") % 2 == 0
    for word in ("@everyone", "<script", "</summary><", "onerror", "](http", "# hi"):
        assert word not in outside, word
    assert '/metrics/%22%3E%3Cscript%3E.png?raw=true">' in told


def test_links_and_large_files_are_not_followed(repo: Path) -> None:
    save(repo)
    (repo / "metrics" / "link.json").symlink_to("/etc/passwd")
    save(repo)
    assert not [c for c in review(repo, "main", "change").metrics if c.changed]
    save(repo, files={"metrics/large.json": b" " * (MAX_BYTES + 1)})
    with pytest.raises(ProductError, match=r"metrics/large\.json: file too large"):
        review(repo, "main", "change")


def test_unknown_commits_and_options_are_no_commits(repo: Path) -> None:
    for name in ("nowhere", "--output=x", "main:params.yaml"):
        with pytest.raises(UnknownNameError, match=f"no such commit, got {name!r}"):
            review(repo, name, "change")
    git(repo, "checkout", "-q", "--orphan", "alone")
    git(repo, "rm", "-rqf", ".")
    git(repo, "commit", "-qm", "Nothing", "--allow-empty")
    with pytest.raises(UnknownNameError, match="git merge-base failed"):
        review(repo, "main", "alone")
    with pytest.raises(MissingInputError, match="no parameters"):
        review(repo, "alone", "alone")


def test_a_long_review_drops_its_folds_first_and_says_so(repo: Path) -> None:
    params, metrics = with_prompt("rbox", 0.775)
    metrics["sam_label/dota"] |= {f"m{n}": n for n in range(3000)}
    save(repo, params, metrics)
    found = review(repo, "main", "change")
    told = render(found)
    assert f"<summary>{3002 - markdown.ROWS} more</summary>" in told
    short = render(found, longest=5000)
    assert len(short) <= 5000 < len(told)
    assert short.rstrip().endswith("has all of it._")
    assert "**Gate passed**" in short
    assert "| `prompt` | `hbox` | `rbox` |" in short
    assert "| `dota.mean_outside` |" in short
    assert len(render(found, longest=300)) <= 300
