"""Prints a hash of what two steps of the demo's network learn, and the probes of it.

    python -m tests.training.portable [THREADS]

Run by test_portable in processes that tell libraries otherwise of the CPU.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from samrs.arithmetic import instructions


def main() -> None:
    """The command line."""
    instructions.begin(instructions.TRAINED)
    # With torch, which must find instructions held:
    from samrs.finetune.finetune import finetune
    from samrs.pretrain import pretrain
    from samrs.training.settings import Settings
    from tests.training import discs
    from tests.training.conftest import HELD_OUT, PROTOCOL, RUNTIME, SEED, SETTINGS

    settings = Settings(**{**SETTINGS, "crop": 64, "batch_size": 3, "steps": 2})
    runtime: dict[str, Any] = {**RUNTIME, "threads": int(sys.argv[1]) if sys.argv[1:] else 2}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        splits = ["train"] * 4 + ["val"]
        releases = {
            "sota": discs.write(root / "sota", ["red", "green"], splits),
            "fast": discs.write(root / "fast", ["red", "green", "blue"], splits),
        }
        benchmark = discs.write(root / "isaid", ["background", "red", "green"], splits, ground=0)
        network = {"encoder": "resnet18", "encoder_weights": None, "decoder": "unet"}
        trained: dict[str, Any] = {"settings": settings, "runtime": runtime}
        done = pretrain(
            releases, root / "pretrain", root / "work",
            **network, hold_out=HELD_OUT, seed=SEED, **trained,
        )  # fmt: skip
        print("loss", done["final_loss"])
        for file in sorted((root / "pretrain").glob("*.safetensors")):
            print(file.name, hashlib.sha256(file.read_bytes()).hexdigest()[:16])
        found = finetune(
            benchmark, root / "pretrain", root / "probe", root / "work", mode="probe",
            inits=["scratch", "pretrain"], shares=[0.5], draws=3, seeds=[SEED],
            protocol=PROTOCOL, **trained,
        )  # fmt: skip
        print("probe", json.dumps(found["miou"], sort_keys=True))


if __name__ == "__main__":
    main()
