"""Stage check: params.yaml is valid, before a stage runs whose outputs DVC would remove first.

Every other stage depends on one of the files it writes: digests of code that many stages import,
which would else stand in dvc.yaml and dvc.lock for each of them. A change of that code reruns them.
A valid change of params.yaml leaves the files as they are and reruns those that it concerns; an
invalid one stops here and leaves every output in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from samrs.check.schema import value_faults
from samrs.core.errors import ParameterError
from samrs.core.parameters import read_parameters
from samrs.core.shards import sha256
from stages.stage import HERE, arguments, running

EVERY = ("samrs/core", "stages/stage.py")
"""What every stage imports: folders of code, and files."""
WORK = (*EVERY, "samrs/reading/splits.py", "samrs/weights/checkpoint.py", "samrs/work")
"""What stages import that keep finished work."""
LABEL = (
    "samrs/arithmetic",
    "samrs/label",
    "samrs/prompting",
    "samrs/prompts",
    "samrs/sam",
    "samrs/segmenters",
)
"""What stages import that ask a segmenter."""
SHARED = {
    "data/code/every": EVERY,
    "data/code/work": WORK,
    "data/code/label": (*WORK, *LABEL),
}
"""What each output tells of; a stage depends on the first that has what it imports of these."""


def files_of(paths: Iterable[str]) -> Iterator[Path]:
    """The Python files of folders, and files, relative to the project, in order."""
    for path in map(Path, paths):
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def main() -> None:
    outs = arguments(*SHARED)
    if wrong := value_faults(read_parameters(HERE)):
        raise ParameterError("\nerror: ".join(wrong))
    for out, paths in zip(outs, SHARED.values(), strict=True):
        told = ["params.yaml is valid", *(f"{sha256(file)} {file}" for file in files_of(paths))]
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        Path(out).write_text("\n".join(told) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with running():
        main()
