"""What a pull request changes: parameters, metrics and plots of two commits, and the gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from samrs.core.errors import MissingInputError, ParameterError
from samrs.core.parameters import parse_parameters
from samrs.review import revisions
from samrs.review.guard import Verdict, judge, tolerances
from samrs.review.values import Change, Value, compare, metrics_values, parameter_values

PARAMS, PIPELINE, METRICS = "params.yaml", "dvc.yaml", "metrics"


@dataclass(frozen=True)
class Picture:
    """A plot that differs.

    Args:
        path: in the repository.
        before, after: whether the commits have it.
    """

    path: str
    before: bool
    after: bool


@dataclass(frozen=True)
class Review:
    """All there is to tell.

    Args:
        base, head: full commit hashes.
        parameters, metrics: every value of either commit.
        stages: names of stages in the order of dvc.yaml, written as metrics are.
        verdicts: of the guarded metrics.
        unguarded: metrics that the base guards and the head does not.
        pictures: plots that differ.
    """

    base: str
    head: str
    parameters: Sequence[Change]
    metrics: Sequence[Change]
    stages: Sequence[str]
    verdicts: Sequence[Verdict]
    unguarded: Sequence[str] = ()
    pictures: Sequence[Picture] = ()

    @property
    def passed(self) -> bool:
        """Whether the gate is open."""
        return all(verdict.passed for verdict in self.verdicts)


class _Commit:
    """Parameters and metrics of one commit."""

    def __init__(self, repo: Path, commit: str) -> None:
        self.files = revisions.files(repo, commit, PARAMS, PIPELINE, METRICS)
        if PARAMS not in self.files:
            raise MissingInputError(
                f"{commit[:10]}: no parameters, got no {PARAMS}; a commit of the pipeline is "
                "needed; name another"
            )
        read = {p: revisions.read(repo, p, b) for p, b in self.files.items() if _is_read(p)}
        self.params = parse_parameters(read.pop(PARAMS))
        pipeline = parse_parameters(read.pop(PIPELINE, b"{}")).get("stages")
        self.stages = [str(s).replace("-", "_") for s in pipeline or ()]
        self.metrics = metrics_values(read)

    def guarded(self) -> dict[str, float]:
        """Its tolerances, none where it has no readable ones."""
        try:
            return tolerances(self.params)
        except ParameterError:
            return {}

    def values(self) -> dict[str, Value]:
        return parameter_values(self.params)


def _is_read(path: str) -> bool:
    return path in (PARAMS, PIPELINE) or path.endswith(".json")


def review(repo: Path, base: str, head: str) -> Review:
    """Compare a commit with the one where it left its base branch.

    The tolerances are the head's: whoever means a loss raises them there, for all to see.

    Args:
        repo: a git repository that holds both with their history.
        base, head: commits, branches or tags.

    Raises:
        UnknownNameError: a commit is not there.
        MissingInputError: one has no params.yaml.
        ParameterError: params.yaml or its section ``guard`` is wrong.
        ProductError: a metrics file is unreadable.
    """
    left, tip = revisions.merge_base(repo, base, head), revisions.commit(repo, head)
    old, new = _Commit(repo, left), _Commit(repo, tip)
    allowed = tolerances(new.params)
    plots = [
        Picture(path, path in old.files, path in new.files)
        for path in sorted({*old.files, *new.files})
        if path.endswith(".png") and old.files.get(path) != new.files.get(path)
    ]
    return Review(
        base=left,
        head=tip,
        parameters=compare(old.values(), new.values()),
        metrics=compare(old.metrics, new.metrics),
        stages=new.stages,
        verdicts=judge(allowed, old.metrics, new.metrics),
        unguarded=[name for name in old.guarded() if name not in allowed],
        pictures=plots,
    )
