"""Prints a hash of a training step's gradients for each size of the second level cache that oneDNN
is made to believe in: the sums of some of its convolutions follow it.

    python -m tests.training.caches ENCODER SIDE BATCH

oneDNN asks the CPU once and keeps the answer where the symbol ``SYMBOL`` lies; a library without
symbols ends the process with status 77, as does a machine without ``nm``.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

from samrs.arithmetic import instructions

SYMBOL = "_ZZN4dnnl4impl3cpu3x643cpuEvE4cpu_"
"""``dnnl::impl::cpu::x64::cpu()::cpu_``, an ``Xbyak::util::Cpu``."""
LEVELS = 24
"""Bytes before its sizes of data caches, three levels, uint32 each (torch 2.15)."""
SIZES = [256 << 10, 512 << 10, 1 << 20, 2 << 20]
"""Of Haswell, Zen 3, Zen 4 and Sapphire Rapids, bytes."""
LACKING = 77


def main() -> None:
    """The command line."""
    encoder, side, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    instructions.begin(instructions.TRAINED)
    # or a kernel would outlive a size, in torch's cache of them or in oneDNN's
    os.environ.update({"LRU_CACHE_CAPACITY": "1", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "0"})
    import torch

    from samrs.training.networks import MultiHeadNetwork

    library = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    torch.set_num_threads(2)
    shape = (batch, 3, side, side)
    torch.nn.functional.conv2d(torch.zeros(2, 8, 8, 8), torch.zeros(8, 8, 3, 3))  # oneDNN asks
    levels = _place(library) + LEVELS
    first, _, third = struct.unpack("3I", ctypes.string_at(levels, 12))
    if not (16 << 10 <= first <= 128 << 10 and third >= 1 << 20):
        sys.exit(LACKING)
    torch.manual_seed(0)
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    labels = torch.randint(0, 5, (batch, side, side))
    for size in SIZES:
        ctypes.memmove(levels, struct.pack("3I", first, size, third), 12)
        network = MultiHeadNetwork(encoder, None, "unet", {"a": 5}, seed=1)
        network.lay_out(torch.device("cpu"), instructions.TRAINED)
        torch.manual_seed(0)  # of what is left out at random
        found = network(images, {"a": batch})["a"]
        torch.nn.functional.cross_entropy(found, labels).backward()
        seen = hashlib.sha256(found.detach().numpy().tobytes())
        for weight in network.parameters():
            assert weight.grad is not None
            seen.update(weight.grad.contiguous().numpy().tobytes())
        print(size, seen.hexdigest()[:16])


def _place(library: Path) -> int:
    """Where in this process the symbol lies."""
    nm = shutil.which("nm")
    if nm is None:
        sys.exit(LACKING)
    names = subprocess.run([nm, str(library)], capture_output=True, text=True, check=True).stdout
    lines = [line for line in names.splitlines() if line.endswith(" " + SYMBOL)]
    maps = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    mapped = [line for line in maps if line.endswith(str(library.resolve()))]
    if not lines or not mapped:
        sys.exit(LACKING)
    return int(mapped[0].split("-")[0], 16) + int(lines[0].split()[0], 16)


if __name__ == "__main__":
    main()
