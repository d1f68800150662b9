"""Several processes that train one network: who is who, and how Lightning begins them.

On one machine ``runtime.devices`` processes are begun for each training and end with it; around it
nothing changes. ``torchrun``, on one machine or several, begins the whole program that often: then
the first process writes products, and the others go on to the next training. Gradients are averaged
by torch's DistributedDataParallel; a batch is drawn in parts, so that the step's number alone
decides what all of them see (``Crops.part``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from samrs.core.errors import ParameterError, TrainingError

PATIENCE = timedelta(hours=12)
"""How long processes of torchrun wait for the first one, which tests networks alone."""

_SAID = re.compile(r"^samrs\.core\.errors\.\w+: (.+)", re.MULTILINE | re.DOTALL)


def by_torchrun() -> bool:
    """Whether torchrun began this process."""
    return distributed.is_torchelastic_launched()


def is_first() -> bool:
    """Whether this process writes products: all but those that torchrun began beside the first."""
    return not by_torchrun() or os.environ["RANK"] == "0"


def trainer_options(runtime: Mapping[str, Any]) -> dict[str, Any]:
    """Lightning's ``devices``, ``num_nodes``, ``strategy`` and ``sync_batchnorm``.

    Args:
        runtime: ``device``, and ``devices`` on this machine, which torchrun's own number overrules.

    Raises:
        ParameterError: there are not so many GPUs.
    """
    from lightning.pytorch.strategies import DDPStrategy  # seconds that probes do without

    gpus = torch.cuda.device_count() if runtime["device"] != "cpu" else 0
    if by_torchrun():
        here, machines = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["GROUP_WORLD_SIZE"])
        strategy = DDPStrategy(find_unused_parameters=True, timeout=PATIENCE)
    else:
        here, machines = int(runtime.get("devices", 1)), 1
        strategy = DDPStrategy(start_method="spawn", find_unused_parameters=True)
    if gpus and here > gpus:
        raise ParameterError(
            f"params.yaml: more processes than GPUs, got runtime.devices = {here}; up to {gpus} "
            "are allowed here; lower it"
        )
    if here * machines == 1:
        return {"devices": 1}
    return {
        "devices": here,
        "num_nodes": machines,
        "strategy": strategy,
        "sync_batchnorm": bool(gpus),
    }


def check_together(module: nn.Module, options: Mapping[str, Any], device: torch.device) -> None:
    """Refuse what several processes would train otherwise than one.

    Args:
        module: what is trained.
        options: of ``trainer_options``.
        device: of the training.

    Raises:
        ParameterError: batch norms on CPUs, where torch cannot take their means over processes.
    """
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if "strategy" in options and device.type == "cpu" and norms:
        raise ParameterError(
            f"params.yaml: batch norms over several processes need GPUs, got {len(norms)} of them "
            "and runtime.devices above 1 on CPUs; 1 is allowed there, or networks with other "
            "norms; set runtime.devices to 1"
        )


def sum_of_all(value: Tensor) -> Tensor:
    """The sum of a tensor over all processes of a training; without gradient.

    Args:
        value: of the same shape in each.
    """
    total = value.detach().clone()
    if distributed.is_initialized():
        distributed.all_reduce(total)
    return total


@contextmanager
def told_plainly() -> Iterator[None]:
    """Errors of processes that Lightning began, as this process's own.

    Raises:
        TrainingError: one failed, with what it said, or was ended from outside.
    """
    try:
        yield
    except ProcessRaisedException as error:
        said = _SAID.search(str(error))
        if said is None:
            raise
        raise TrainingError(" ".join(said[1].split())) from error
    except ProcessExitedException as error:
        raise TrainingError(
            f"training: a process ended from outside, got {error}; all are needed to the end; run "
            "again, which goes on from the last checkpoint"
        ) from error
