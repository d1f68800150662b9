"""A training of nano as the training loop takes it: two optimizers, rates of cycles, a mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer
from torch.utils.data import Dataset

from samrs.nano.schedule import Cycle, cycle_at
from samrs.nano.trainee import Trainee
from samrs.training.loop import Task

RATE_MATRICES = 2.5e-3
RATE_OTHERS = 1.5e-3
DECAY = 0.05
CLIP = 1.0
MEAN = 0.99
"""Share of the running mean of the weights that a step leaves."""


class NanoTask(Task):
    """A training in cycles; a subclass adds the loss.

    Args:
        batches: see ``Task``.
    """

    def __init__(
        self, model: Trainee, batches: Dataset[Any], cycles: list[Cycle], *, seed: int
    ) -> None:
        super().__init__(batches, steps=cycles[-1].end, seed=seed, clip=CLIP)
        self.model, self.cycles = model, cycles

    def configure_optimizers(self) -> Optimizer:
        """Muon for the matrices of the transformer blocks, AdamW for all else."""
        matrices: list[Tensor] = []
        others: list[Tensor] = []
        for name, value in self.model.named_parameters():
            in_block = "blocks" in name or "transformer" in name
            is_matrix = value.ndim == 2 and "rel_pos" not in name and in_block
            (matrices if is_matrix else others).append(value)
        return Together(
            Muon(
                matrices,
                lr=RATE_MATRICES,
                weight_decay=DECAY,
                adjust_lr_fn="match_rms_adamw",
                ns_steps=4,
            ),
            AdamW(others, lr=RATE_OTHERS, betas=(0.9, 0.98), weight_decay=0.01),
        )

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Set the optimizer's rate from the step's number alone: more cycles may come later."""
        factor = cycle_at(self.cycles, self.global_step).rate_at(self.global_step)
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor


class Together(Optimizer):
    """Several optimizers, each of its own parameters, as the one that a training steps."""

    def __init__(self, *parts: Optimizer) -> None:
        self.parts = parts
        for group in self._groups():
            group["initial_lr"] = group["lr"]
        super().__init__(self._groups(), {})

    def _groups(self) -> list[dict[str, Any]]:
        return [group for part in self.parts for group in part.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Step each of them.

        Args:
            closure: computes the gradients first.
        """
        loss = None if closure is None else closure()
        for part in self.parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The states of all, in their order."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the states back.

        Args:
            state_dict: what ``state_dict`` gave.
        """
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = self._groups()


class RunningMean(Callback):
    """The running mean of a trainee's weights, which is what a training of nano writes.

    Args:
        out: file of the weights.
        every: steps between two writes; the last step writes as well.
    """

    def __init__(self, model: nn.Module, out: Path, every: int) -> None:
        self.model, self.out, self.every = model, out, every
        self.mean = {name: value.clone() for name, value in model.state_dict().items()}

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Add the weights after a step."""
        step = trainer.global_step
        decay = min(MEAN, step / (9 + step))
        for name, value in self.model.state_dict().items():
            self.mean[name].lerp_(value, 1 - decay)
        if step % self.every == 0:
            write_weights(self.mean.items(), self.out)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what there is at the end, even if no step was left to do."""
        write_weights(self.mean.items(), self.out)

    def state_dict(self) -> dict[str, Any]:
        """The mean, for a checkpoint."""
        return {"mean": self.mean}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the mean back.

        Args:
            state_dict: what ``state_dict`` gave.
        """
        self.mean = state_dict["mean"]


def write_weights(state: Iterable[tuple[str, Tensor]], out: Path) -> None:
    """Write a trainee's weights as half precision safetensors, whole or not at all.

    Args:
        state: of a ``Trainee``, tensors by name.
    """
    half = {
        # frequencies are exact in float32, and a few hundred bytes
        name.removeprefix("sam."): (
            value if "gaussian" in name or "pixel" in name else value.half()
        ).contiguous()
        for name, value in state
        if name.startswith("sam.")
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_suffix(".new")
    save_file(half, partial, metadata={"format": "pt", "model": "nano"})
    partial.chmod(0o644)
    partial.replace(out)
