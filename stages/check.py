"""Stage check: params.yaml is valid, before a stage runs whose outputs DVC would remove first.

All others depend on what it writes: the digests of the code that every stage imports, which would
else stand in dvc.yaml and dvc.lock for each of them. A change of that code reruns them all. A valid
change of params.yaml leaves the file as it is and reruns those that it concerns; an invalid one
stops here and leaves every output in place.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from samrs.check.schema import value_faults
from samrs.core.errors import ParameterError
from samrs.core.parameters import read_parameters
from samrs.core.shards import sha256
from stages.stage import HERE, arguments, running

SHARED = ("samrs/core", "stages/stage.py")
"""What every stage imports: folders of code, and files."""


def shared_files() -> Iterator[Path]:
    """The Python files of ``SHARED``, relative to the project, in order."""
    for path in map(Path, SHARED):
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def main() -> None:
    (out,) = arguments("out")
    if wrong := value_faults(read_parameters(HERE)):
        raise ParameterError("\nerror: ".join(wrong))
    told = ["params.yaml is valid", *(f"{sha256(file)} {file}" for file in shared_files())]
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    Path(out).write_text("\n".join(told) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with running():
        main()
