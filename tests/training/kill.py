"""A training that is killed, for tests of how it goes on."""

from __future__ import annotations

import os
import signal
from typing import Any

from lightning.pytorch import Callback, Trainer


class Kill(Callback):
    """Sends a signal to its own process after a number of steps, as a machine or a user would."""

    def __init__(self, after: int, how: signal.Signals) -> None:
        self.after, self.how = after, how

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == self.after:
            os.kill(os.getpid(), self.how)
