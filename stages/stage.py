"""What every stage script shares: declared parameters, metrics, errors as one sentence.

The parameters of a stage are those dvc.yaml declares for it: dvc tells them by the name it gives
in ``DVC_STAGE``, so that a stage which reads an undeclared one fails instead of going stale.
Outside dvc (``python -m stages.…`` by hand) the whole of params.yaml is read.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from samrs.core.errors import ParameterError, SamrsError, full_disk
from samrs.core.parameters import check_runtime, check_section, grouped, read_parameters
from samrs.core.shards import write_json

HERE = Path()


def declared() -> dict[str, Any]:
    """The parameters declared for the running stage, as a nested dict."""
    name = os.environ.get("DVC_STAGE")
    if name is None:
        return read_parameters(HERE)
    from dvc.api import params_show  # a second of import time that a run by hand does not need

    values: dict[str, Any] = params_show(stages=name)
    return values


def runtime() -> dict[str, Any]:
    """The ``runtime`` section: speed and placement, never results, so no stage declares it.

    Raises:
        ParameterError: a value is missing, unknown, of the wrong type or not allowed.
    """
    values = check_section(check_runtime, value(read_parameters(HERE), "runtime"), "runtime")
    check_runtime(**values)
    return values


def value(params: Mapping[str, Any], path: str) -> Any:
    """One declared parameter by its dotted path."""
    found: Any = params
    for key in path.split("."):
        if not isinstance(found, Mapping) or key not in found:
            raise ParameterError(
                f"params.yaml: parameter is missing or not declared in dvc.yaml, got no {path}; "
                "every parameter a stage reads stands in both; add it"
            )
        found = found[key]
    return found


def section(
    function: Callable[..., Any], params: Mapping[str, Any], path: str, *top: str, given: str = ""
) -> dict[str, Any]:
    """The keyword arguments of a library function.

    Args:
        path: its section, e.g. ``normalize.dota``; empty when it has none.
        top: parameters it takes from the top of params.yaml.
        given: keyword-only parameters the stage passes itself, separated by blanks.
    """
    values = dict(value(params, path)) if path else {}
    values.update({name: value(params, name) for name in top})
    checked = check_section(function, values, path or "params", given.split())
    return grouped(function, checked)


def arguments(*names: str) -> list[str]:
    """Positional arguments of the stage script, all required."""
    parser = argparse.ArgumentParser(prog=f"python -m stages.{Path(sys.argv[0]).stem}")
    for name in names:
        parser.add_argument(name)
    parsed = vars(parser.parse_args())
    return [str(parsed[name]) for name in names]


@contextmanager
def running() -> Iterator[None]:
    """Log lines on stderr; errors meant for the user as one sentence and exit status 1."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("samrs").setLevel(logging.INFO)
    try:
        yield
    except SamrsError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if (sentence := full_disk(error)) is None:
            raise
        sys.exit(f"error: {sentence}")


def subsets(params: Mapping[str, Any], released: str) -> dict[str, Path]:
    """Folder of each released subset by its name, e.g. ``sota``."""
    return {name: Path(released) / name for name in value(params, "subsets").values()}


def work_folder(stage: str) -> Path:
    """A stage's unfinished work: it survives a killed run and is shared by experiments."""
    return Path(os.environ.get("DVC_ROOT", "."), ".work", stage)


def copy_plot(source: Path, target: str) -> None:
    """Put a small file of an output where git keeps it for ``dvc plots``."""
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def write_metrics(path: str, values: Mapping[str, Any]) -> None:
    """Write a metrics file that ``dvc metrics show`` reads."""
    write_json(Path(path), values)
