"""What every stage script shares: declared parameters, metrics, errors as one sentence.

The parameters of a stage are those dvc.yaml declares for it: dvc tells them by the name it gives
in ``DVC_STAGE``, so that a stage which reads an undeclared one fails instead of going stale.
Outside dvc (``python -m stages.…`` by hand) the whole of params.yaml is read.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from samrs.core.errors import ParameterError, SamrsError
from samrs.core.parameters import check_section
from samrs.core.shards import write_json

PARAMS = Path("params.yaml")
DEVICES = ("auto", "cpu", "cuda")


def _read_params() -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    return values


def declared() -> dict[str, Any]:
    """The parameters declared for the running stage, as a nested dict."""
    name = os.environ.get("DVC_STAGE")
    if name is None:
        return _read_params()
    from dvc.api import params_show  # a second of import time that a run by hand does not need

    values: dict[str, Any] = params_show(stages=name)
    return values


def runtime() -> dict[str, Any]:
    """The ``runtime`` section: speed and placement, never results, so no stage declares it.

    Raises:
        ParameterError: a value is missing, unknown, of the wrong type or not allowed.
    """
    values = check_section(_runtime, value(_read_params(), "runtime"), "runtime")
    _runtime(**values)
    return values


def _runtime(
    *, executor: str, device: str, threads: int | None, workers: int, downloads: int
) -> None:
    if device not in DEVICES:
        raise ParameterError(
            f"params.yaml: unknown device, got runtime.device = {device!r}; {', '.join(DEVICES)} "
            "are allowed; correct it"
        )
    if threads is not None and threads < 1:
        raise ParameterError(
            f"params.yaml: too few, got runtime.threads = {threads}; at least 1, or null for all "
            "cores, is allowed; correct it"
        )


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
    return check_section(function, values, path or "params", given.split())


def arguments(*names: str) -> list[str]:
    """Positional arguments of the stage script, all required."""
    parser = argparse.ArgumentParser(prog=f"python -m stages.{Path(sys.argv[0]).stem}")
    for name in names:
        parser.add_argument(name)
    parsed = vars(parser.parse_args())
    return [str(parsed[name]) for name in names]


@contextmanager
def running() -> Iterator[None]:
    """Log lines on stderr; errors meant for the user as one sentence and exit status 1.

    On Linux the stage dies with the dvc that started it, so that a killed run leaves no orphan.
    """
    if sys.platform == "linux" and "DVC_STAGE" in os.environ:
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("samrs").setLevel(logging.INFO)
    try:
        yield
    except SamrsError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        sys.exit(
            f"error: {error.filename or 'an output'}: cannot be written, got {error}; room on the "
            "disk is needed; make some and run again"
        )


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
