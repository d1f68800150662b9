"""Whether params.yaml is valid before anything runs.

Every section is checked against the function it feeds, every name against the files of its axis,
every number against its range, every guard against the metrics files that are there. The stage
``check``, on which all others depend, does all of it but the last, so that no wrong parameter costs
an output: DVC removes those of a stage before it runs.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samrs.check.guard import guard_faults
from samrs.core import axis
from samrs.core.errors import ParameterError, SamrsError, advice
from samrs.core.parameters import check_runtime, check_section, read_parameters


@dataclass(frozen=True, kw_only=True)
class Section:
    """What a stage reads.

    Args:
        stage: its script, which names the same function.
        top: parameters from the top of params.yaml.
        given: keyword-only parameters that the stage passes itself.
        each: the top-level key for each of whose names its section has one; empty where it has
            none below it.
        own: whether it has a section at all.
    """

    stage: str
    module: str
    function: str
    top: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    each: str = ""
    own: bool = True


SECTIONS = (
    Section(
        stage="download",
        module="samrs.download.download",
        function="download",
        top=("origin",),
        given=("inbox", "parallel"),
        each="download",
    ),
    Section(
        stage="normalize",
        module="samrs.normalize.normalize",
        function="normalize",
        given=("format", "workers", "work"),
        each="datasets",
    ),
    Section(
        stage="weights",
        module="samrs.weights.weights",
        function="weights",
        top=("segmenter", "model"),
        own=False,
    ),
    Section(
        stage="prompt_ablation",
        module="samrs.ablation.ablation",
        function="ablate",
        top=("precision",),
        given=("checkpoint", "runtime", "timed"),
    ),
    Section(
        stage="sam_label",
        module="samrs.label.label",
        function="label",
        top=("prompt", "precision"),
        given=("checkpoint", "runtime", "work"),
        own=False,
    ),
    Section(stage="release", module="samrs.release.release", function="release", given=("work",)),
    Section(stage="pretrain", module="samrs.pretrain", function="pretrain", given=("runtime",)),
    Section(
        stage="finetune",
        module="samrs.finetune.finetune",
        function="finetune",
        given=("runtime",),
        each="benchmarks",
    ),
)

DATASETS = "samrs.datasets"
CORRECTIONS = Path("data", "corrections")
STRUCTURE = {"datasets": dict, "subsets": dict, "benchmarks": list, "runtime": dict, "guard": dict}
"""Top-level keys that no stage declares, and what they hold."""
TOP = dict.fromkeys((name for section in SECTIONS for name in section.top), str)
OWN = {section.stage: dict for section in SECTIONS if section.own}
KEYS: Mapping[str, type] = {**STRUCTURE, **TOP, **OWN}
"""Top-level keys of params.yaml, and what they hold."""
WORDS: Mapping[type, str] = {dict: "a mapping", list: "a list", str: "a text"}


def faults(root: Path) -> list[str]:
    """What is wrong with params.yaml of a checkout, a sentence each, none twice.

    Raises:
        MissingInputError: it has none.
        ParameterError: it is no YAML mapping.
    """
    params = read_parameters(root)
    told = value_faults(params)
    if isinstance(params.get("guard"), Mapping):
        told += guard_faults(root, params)
    if isinstance(params.get("subsets"), Mapping) and (root / CORRECTIONS).is_dir():
        told += _corrections(root, params["subsets"])
    return list(dict.fromkeys(told))


def _corrections(root: Path, subsets: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each released dataset without a folder for what people correct."""
    for name in subsets:
        folder = CORRECTIONS / str(name)
        if not (root / folder).is_dir():
            yield (
                f"{folder.as_posix()}: no such folder, got a dataset without it; release reads "
                f"what people corrected there, an empty folder is nothing; run mkdir -p "
                f"{folder.as_posix()}"
            )


def value_faults(params: Mapping[str, Any]) -> list[str]:
    """What is wrong with parameters by themselves, whatever was made before; none twice.

    Args:
        params: params.yaml as nested values.
    """
    checks = (_top_level, _unknown_names, _recipes, _datasets, _sections, _overrides, _runtime)
    told = [fault for check in checks for fault in check(params)]
    if not told:  # else a range would be compared with a text
        told = [*_ranges(params), *_model(params), *_answerable(params), *_auto(params)]
    return list(dict.fromkeys(told))


def _top_level(params: Mapping[str, Any]) -> Iterator[str]:
    for name in params:
        if name not in KEYS:
            yield (
                f"params.yaml: unknown parameter, got {name}; {', '.join(KEYS)} are allowed; "
                + advice(name, KEYS, "remove it")
            )
    for name, kind in KEYS.items():
        if not isinstance(params.get(name), kind):
            yield (
                f"params.yaml: wrong or missing parameter, got {name} = {params.get(name)!r}; "
                f"{WORDS[kind]} is needed; correct it"
            )


def allowed_names(params: Mapping[str, Any]) -> dict[str, Iterable[str]]:
    """What is allowed at each place of params.yaml that holds a name, a list or a key of names.

    Args:
        params: params.yaml as nested values.
    """
    from samrs.download import download
    from samrs.finetune import finetune
    from samrs.release import background, overlap
    from samrs.sam.computing import PRECISIONS
    from samrs.training import networks
    from samrs.training import settings as training
    from samrs.weights.models import models

    segmenters = axis.names("samrs.segmenters")
    datasets, formats = _names(params, "datasets"), axis.names(DATASETS, "read")
    return {
        "origin": download.ORIGINS,
        **{f"datasets.{name}.format": formats for name in datasets},
        "download": axis.names(DATASETS, "demo" if params.get("origin") == "demo" else "sources"),
        "normalize": datasets,
        "subsets": datasets,
        "benchmarks": datasets,
        "segmenter": segmenters,
        "prompt_ablation.floors": segmenters,
        "model": [model.name for model in models()],
        "precision": PRECISIONS,
        "release.background": background.RULES,
        "release.overlap": overlap.RULES,
        "pretrain.decoder": networks.DECODERS,
        "pretrain.precision": training.PRECISIONS,
        **{f"finetune.{name}.mode": finetune.MODES for name in _names(params, "benchmarks")},
        **{
            f"finetune.{name}.precision": training.PRECISIONS
            for name in _names(params, "benchmarks")
        },
        "runtime.executor": axis.names("samrs.executors"),
    }


def _names(params: Mapping[str, Any], path: str) -> list[Any]:
    """The names at a dotted path; none where no name can be, which the schemas tell."""
    found: Any = params
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return [found]
    return list(found) if isinstance(found, list | dict) else []


def _unknown_names(params: Mapping[str, Any]) -> Iterator[str]:
    for where, names in allowed_names(params).items():
        allowed = [str(name) for name in names]
        for name in _names(params, where):
            if name not in allowed:
                yield (
                    f"params.yaml: unknown name, got {where}: {name!r}; {', '.join(allowed)} are "
                    f"allowed; {advice(name, allowed, 'correct it')}"
                )


def _recipes(params: Mapping[str, Any]) -> Iterator[str]:
    from samrs.label.auto import AUTO
    from samrs.prompting.recipes import parse_recipe

    chosen = [name for name in _names(params, "prompt") if name != AUTO]
    for name in (*chosen, *_names(params, "prompt_ablation.recipes")):
        try:
            parse_recipe(str(name))
        except SamrsError as error:
            yield f"params.yaml: {error}"


def _datasets(params: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(datasets := params.get("datasets"), Mapping):
        for name, values in datasets.items():
            yield from _section_faults(_dataset, values, f"datasets.{name}")


def _dataset(*, format: str, path: str) -> None:
    """The schema of a dataset: a folder of ``samrs/datasets``, and where its files lie."""


def _sections(params: Mapping[str, Any]) -> Iterator[str]:
    for section in SECTIONS:
        own = params.get(section.stage) if section.own else {}
        if not isinstance(own, Mapping):
            continue  # told among the top-level keys, as a wrong value of these is
        function = getattr(importlib.import_module(section.module), section.function)
        given = (*section.given, *section.top)
        if not section.each:
            yield from _section_faults(function, own, section.stage, given)
            continue
        for name in _names(params, section.each):
            if section.each == "benchmarks" and name not in _names(params, "datasets"):
                continue  # told among the names
            yield from _section_faults(function, own.get(name), f"{section.stage}.{name}", given)


def _overrides(params: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with values of release that a dataset or a class has for itself."""
    from samrs.release.thresholds import check_values

    release = params.get("release")
    overrides = release.get("overrides") if isinstance(release, Mapping) else None
    datasets = _names(params, "datasets")
    for key, values in overrides.items() if isinstance(overrides, Mapping) else ():
        name = str(key).partition("/")[0]
        if name not in datasets:
            yield (
                f"params.yaml: unknown name, got release.overrides: {key!r}; "
                f"{', '.join(datasets)} are allowed, alone or with /CLASS behind; "
                + advice(name, datasets, "correct it")
            )
        if isinstance(values, Mapping):  # else the schema tells it
            try:
                check_values(f"release.overrides.{key}", values)
            except ParameterError as error:
                yield f"params.yaml: {error}"


def _runtime(params: Mapping[str, Any]) -> Iterator[str]:
    values = params.get("runtime")
    told = list(_section_faults(check_runtime, values, "runtime"))
    yield from told
    if isinstance(values, Mapping) and not told:
        try:
            check_runtime(**values)
        except ParameterError as error:
            yield str(error)


def _ranges(params: Mapping[str, Any]) -> Iterator[str]:
    """Numbers out of range, as the stages' functions refuse them."""
    from samrs.finetune.finetune import check_runs
    from samrs.normalize.normalize import check_cut
    from samrs.pretrain import check_hold_out
    from samrs.release.thresholds import Thresholds
    from samrs.training.evaluation import Protocol
    from samrs.training.settings import Settings

    checks: list[tuple[str, Callable[..., Any], Mapping[str, Any]]] = [
        *((f"normalize.{n}", check_cut, params["normalize"][n]) for n in params["datasets"]),
        ("release", Thresholds, params["release"]),
        ("pretrain", Settings, params["pretrain"]),
        ("pretrain", check_hold_out, params["pretrain"]),
        *(
            (f"finetune.{n}", check, params["finetune"][n])
            for n in params["benchmarks"]
            for check in (Settings, Protocol, check_runs)
        ),
    ]
    for where, check, values in checks:
        names = inspect.signature(check).parameters
        try:
            check(**{name: value for name, value in values.items() if name in names})
        except SamrsError as error:
            said, stage = str(error), where.split(".")[0]
            named = f"{where}.{said.removeprefix(f'{stage}.')}"
            yield f"params.yaml: {named.replace(f'{where}.{stage}: ', f'{where}: ')}"


def _model(params: Mapping[str, Any]) -> Iterator[str]:
    """A model of another segmenter."""
    from samrs.weights.models import models, segmenters_of

    segmenter, model = params["segmenter"], params["model"]
    if segmenter in {one.segmenter for one in models()} - set(segmenters_of(model)):
        yield (
            f"params.yaml: a model of another segmenter, got {model} for segmenter: {segmenter}; "
            f"{', '.join(one.name for one in models() if one.segmenter == segmenter)} are "
            f"allowed; use one of these, or segmenter: {segmenters_of(model)[0]}"
        )


def _answerable(params: Mapping[str, Any]) -> Iterator[str]:
    """A recipe that the segmenter cannot answer."""
    from samrs.label.auto import AUTO
    from samrs.prompting.answerable import check_answerable
    from samrs.prompting.recipes import parse_recipe
    from samrs.weights.models import abilities_of

    if params["prompt"] != AUTO:
        segmenter = params["segmenter"]
        try:
            check_answerable(parse_recipe(params["prompt"]), segmenter, abilities_of(segmenter))
        except ParameterError as error:
            yield f"params.yaml: {error}"


def _auto(params: Mapping[str, Any]) -> Iterator[str]:
    """``prompt: auto`` for a segmenter or model that the stored choice was not made for."""
    from samrs.label.auto import AUTO, BUNDLED, chosen_for

    if params["prompt"] == AUTO:
        try:
            chosen_for(BUNDLED, segmenter=params["segmenter"], model=params["model"])
        except SamrsError as error:
            yield f"params.yaml: {error}"


def _section_faults(
    function: Callable[..., Any], values: Any, where: str, given: Sequence[str] = ()
) -> Iterator[str]:
    """What ``check_section`` has to say of any value."""
    if not isinstance(values, Mapping):
        yield (
            f"params.yaml: wrong or missing parameter, got {where} = {values!r}; "
            f"{WORDS[dict]} is needed; correct it"
        )
        return
    try:
        check_section(function, values, where, given)
    except ParameterError as error:
        yield str(error)
