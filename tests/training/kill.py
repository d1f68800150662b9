"""A training that is killed, for tests of how it goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

from lightning.pytorch import Callback, Trainer


class Kill(Callback):
    """Sends a signal to its own process after a number of steps, as a machine or a user would."""

    def __init__(self, after: int, how: signal.Signals) -> None:
        self.after, self.how = after, how

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == self.after:
            os.kill(os.getpid(), self.how)


def status_of(function: Callable[..., Any], *args: Any, **given: Any) -> int | None:
    """The exit status of a process of its own, forked from one that imported Lightning but trained
    nothing: a child of one that did may not use autograd, and importing takes seconds.

    Args:
        function: of a module.
        args: what it is given.
        given: likewise, by name.
    """
    server = get_context("forkserver")
    server.set_forkserver_preload(["samrs.training.segmentation"])
    child = server.Process(target=function, args=args, kwargs=given, daemon=True)
    child.start()
    child.join(600)
    return child.exitcode
