"""Whether params.yaml is valid before anything runs.

Every section is checked against the function it feeds, every name against the files of its axis,
every guarded metric against the files in metrics/.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samrs.core import axis
from samrs.core.errors import ParameterError, UnknownNameError
from samrs.core.parameters import check_section
from samrs.review.guard import judge, tolerances
from samrs.review.values import metrics_values, parameters


@dataclass(frozen=True)
class Section:
    """What a stage reads.

    Args:
        stage: its script, which names the same function.
        top: parameters from the top of params.yaml.
        given: keyword-only parameters that the stage passes itself.
        each: whether its section has one for each dataset below it.
        own: whether it has a section at all.
    """

    stage: str
    module: str
    function: str
    top: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    each: bool = False
    own: bool = True


MODEL = ("segmenter", "model", "precision")
SECTIONS = (
    Section(
        "download",
        "samrs.download.download",
        "download",
        ("origin",),
        ("inbox", "parallel"),
        each=True,
    ),
    Section("normalize", "samrs.normalize.normalize", "normalize", (), ("workers",), each=True),
    Section("prompt_ablation", "samrs.ablation.ablation", "ablate", MODEL, ("runtime",)),
    Section(
        "sam_label",
        "samrs.label.label",
        "label",
        ("prompt", *MODEL),
        ("runtime", "work"),
        own=False,
    ),
    Section("release", "samrs.release.release", "release", ("origin",)),
    Section("pretrain", "samrs.pretrain", "pretrain", (), ("runtime",)),
    Section("finetune", "samrs.finetune", "finetune", (), ("runtime",)),
)


def _value(params: Mapping[str, Any], name: str, kind: type) -> Any:
    found = params.get(name)
    if not isinstance(found, kind):
        raise ParameterError(
            f"params.yaml: wrong or missing parameter, got {name} = {found!r}; "
            f"{kind.__name__} is needed; correct it"
        )
    return found


def _check_sections(params: Mapping[str, Any]) -> None:
    datasets = _value(params, "datasets", list)
    for section in SECTIONS:
        function = getattr(importlib.import_module(section.module), section.function)
        top = {name: _value(params, name, str) for name in section.top}
        own = _value(params, section.stage, dict) if section.own else {}
        below = {name: _value(own, name, dict) for name in datasets} if section.each else {"": own}
        for name, values in below.items():
            where = ".".join(filter(None, (section.stage, name)))
            check_section(function, {**values, **top}, where, section.given)


def _check_one_of(where: str, got: str, allowed: tuple[str, ...]) -> None:
    if got not in allowed:
        raise UnknownNameError(
            f"params.yaml: unknown name, got {where}: {got!r}; {', '.join(allowed)} are allowed; "
            "correct it"
        )


def _names(params: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[str], Iterable[str]]]:
    """Every name in params.yaml: where it stands, the names, what is allowed there."""
    from samrs import finetune
    from samrs.download import download
    from samrs.release import overlap
    from samrs.sam import checkpoints
    from samrs.segmenters import sam
    from samrs.training import loop as training
    from samrs.training import networks

    datasets, ablation = params["datasets"], params["prompt_ablation"]
    segmenters = axis.names("samrs.segmenters")
    yield "origin", [params["origin"]], download.ORIGINS
    yield "datasets", datasets, axis.names("samrs.datasets")
    yield "subsets", list(_value(params, "subsets", dict)), datasets
    yield "benchmarks", _value(params, "benchmarks", list), datasets
    yield "segmenter", [params["segmenter"]], segmenters
    yield "prompt_ablation.floors", ablation["floors"], segmenters
    yield "model", [params["model"]], checkpoints.BUILDERS
    yield "precision", [params["precision"]], sam.PRECISIONS
    yield "release.overlap", [params["release"]["overlap"]], overlap.RULES
    yield "pretrain.decoder", [params["pretrain"]["decoder"]], networks.DECODERS
    yield "finetune.inits", params["finetune"]["inits"], finetune.INITS
    for stage in ("pretrain", "finetune"):
        yield f"{stage}.precision", [params[stage]["precision"]], training.PRECISIONS


def _check_names(params: Mapping[str, Any]) -> None:
    from samrs.label.auto import AUTO
    from samrs.prompting.recipes import parse_recipe

    for where, names, allowed in _names(params):
        for name in names:
            if name not in allowed:
                raise UnknownNameError(
                    f"params.yaml: unknown name, got {where}: {name!r}; {', '.join(allowed)} are "
                    "allowed; correct it"
                )
    chosen = [] if params["prompt"] == AUTO else [params["prompt"]]
    for name in (*chosen, *params["prompt_ablation"]["recipes"]):
        parse_recipe(name)


def check(root: Path) -> int:
    """Check params.yaml of a repository.

    Returns:
        The number of guarded metrics.

    Raises:
        ParameterError: a parameter is missing, unknown or of the wrong type.
        UnknownNameError: a dataset, segmenter, model or prompt does not exist.
    """
    params = parameters((root / "params.yaml").read_bytes())
    _check_sections(params)
    _check_names(params)
    files = {p.relative_to(root).as_posix(): p for p in (root / "metrics").rglob("*.json")}
    metrics = metrics_values({path: file.read_bytes() for path, file in files.items()})
    return len(judge(tolerances(params), metrics, metrics))
