"""Stage check: params.yaml is valid, before a stage runs whose outputs DVC would remove first.

All others depend on what it writes, which is always the same: a valid change of params.yaml reruns
this stage and those that it concerns, an invalid one stops here and leaves every output in place.
"""

from __future__ import annotations

from pathlib import Path

from samrs.check.schema import value_faults
from samrs.core.errors import ParameterError
from samrs.core.parameters import read_parameters
from stages.stage import HERE, arguments, running


def main() -> None:
    (out,) = arguments("out")
    if wrong := value_faults(read_parameters(HERE)):
        raise ParameterError("\nerror: ".join(wrong))
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    Path(out).write_text("params.yaml is valid\n", encoding="utf-8")


if __name__ == "__main__":
    with running():
        main()
