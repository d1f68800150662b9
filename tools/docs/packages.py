"""The map of the house: what each package holds, and on which floor it stands."""

from __future__ import annotations

from tests.test_layers import FLOOR
from tools.docs.text import ROOT, table

KINDS = {
    "What a user does": {
        "label_dataset": "a folder with boxes to a release and exports, without dvc",
        "add": "a dataset of your own, put into params.yaml and taken out",
        "download": "raw files in a dataset's official layout, drawn or fetched and verified",
        "normalize": "official files to tiles and instances in one schema",
        "label": "a mask with scores for every instance; finished tiles are kept in a cache",
        "ablation": "every recipe against true masks",
        "release": "thresholds, overlap rule, semantic maps, quality of each mask",
        "stats": "counts, sizes, overlap and quality of released subsets",
        "pretrain": "multi-head pre-training on released subsets",
        "finetune": "what pre-training brings on human labels, few and all of them",
        "report": "one offline HTML page to judge a dataset by",
        "preview": "one offline HTML page to look at any release",
        "review": "a page on this machine to judge and mend masks, and samples",
        "card": "the data card of a release",
        "exchange": "a release in labelling tools, and what was changed there back as corrections",
        "export": "a release in the formats of other tools",
        "verify": "is a product what its manifest says",
        "data": "a release as torch datasets, from a folder or from a DVC remote",
        "audit": "recipes measured on a dataset of yours that has true masks",
        "fit_quality": "the fit of the quality estimate",
        "nano": "the training of the bundled model",
        "publish": "a release checked, pushed, verified in a clone and tagged",
    },
    "Axes: a value is a module, found by its name": {
        "datasets": "a folder each: reader, official sources, drawn demo scenes",
        "prompts": "parts of recipes",
        "segmenters": "what answers a prompt: SAM, its family, and floors that have learnt nothing",
        "executors": "where tiles are labelled: threads of this machine, or a Ray cluster",
        "formats": "export formats (`samrs/export/formats`)",
    },
    "What several of them share": {
        "corrections": "what people correct of a release: its files and their store",
        "core": "records, shards, geometry, run lengths, tiling, errors, parameters, axes",
        "look": "what a folder of one's own holds, and how it should be cut",
        "reading": "annotations and scene images of any dataset, hostile ones included",
        "fetch": "official files: addresses, mirrors, checksums, resumed downloads",
        "scenes": "the renderer of procedural scenes with exact masks",
        "prompting": "recipes, prompts, views of an image, magnified crops",
        "sam": "SAM's encoder and decoder, its family, batches, checkpoints, nano",
        "weights": "checkpoints of segmenters: bundled, or fetched once and verified",
        "measures": "scores against true masks, groups, bootstrap intervals",
        "comparison": "tables, plots and pictures of recipes, and the choice of `auto`",
        "training": "networks, tiles, sampling, loop and evaluation of the trainings",
        "arithmetic": "sums of float32 that are the same on every x86-64 CPU",
        "work": "unfinished work: the name of its folder, and its files, sealed",
        "gallery": "walls of instances to filter, sort and open, of reports and previews",
        "drawing": "palettes, overlays, crops, plots, tables and templates",
        "check": "whether params.yaml and the remotes are valid; what gone subsets left",
        "commands": "the command line, a command a file",
    },
}
"""Every package of ``samrs``, or module directly in it, by what it is for. A test compares."""


def found() -> set[str]:
    """The packages of ``samrs`` and the modules directly in it, with the package of formats."""
    folders = {p.parent.name for p in (ROOT / "samrs").glob("*/__init__.py")}
    modules = {p.stem for p in (ROOT / "samrs").glob("[!_]*.py")}
    return folders | modules | {"formats"}


def _floors(names: set[str]) -> str:
    """The floors as a picture of text, the highest first."""
    by_floor: dict[int, list[str]] = {}
    for name in names:
        by_floor.setdefault(FLOOR[name], []).append(name)
    lines = [f"{floor}  {' '.join(sorted(by_floor[floor]))}" for floor in sorted(by_floor)[::-1]]
    return "\n".join(["```text", *lines, "```"])


def page() -> str:
    """``docs/reference/packages.md``."""
    names = found()
    parts = [
        "# Packages",
        "The map of the house. A package stands on a floor; an import goes down or stays in its "
        "package, and two values of an axis do not import each other (`tests/test_layers.py`). "
        "The scripts of `stages/`, the command line and `tools/` stand above all.",
        _floors(names),
    ]
    for title, packages in KINDS.items():
        rows = [(f"`{n}`", line) for n, line in packages.items() if n in names]
        parts += [f"## {title}", table(("package", "what"), rows)]
    return "\n\n".join(parts) + "\n"
