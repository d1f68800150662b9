r"""How labelling scales with tiles at once: threads of this machine, or actors of a Ray cluster.

    python -m benchmarks.executors --executor ray --workers 1 2
    python -m benchmarks.executors --executor ray --workers 1 8 --device cuda --model vit_h \
        --precision bfloat16 --tiles 400

Labels the same product with each number of workers, as the stage does, and prints one JSON
line: tiles/s from the first finished tile to the last (starting up is left out), and each rate
divided by the first. A Ray cluster is the one of RAY_ADDRESS or one started here.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from pathlib import Path

from benchmarks.memory import write_product
from samrs.core.shards import shard_paths
from samrs.label.label import label
from samrs.segmenters.sam import PRECISIONS
from samrs.weights.weights import find_checkpoint


def rate(log: Path) -> float:
    """Tiles a second between the first and the last finished tile of a run's log."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    done = [line["seconds"] for line in lines if line["event"] == "tile"]
    return float((len(done) - 1) / (done[-1] - done[0]))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.executors")
    parser.add_argument("--executor", default="local", choices=["local", "ray"])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--tiles", type=int, default=32)
    parser.add_argument("--boxes", type=int, default=35, help="a tile")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--model", default="nano", choices=["nano", "vit_b", "vit_l", "vit_h"])
    parser.add_argument("--precision", default="float32", choices=PRECISIONS)
    wanted = parser.parse_args()
    made_by = {name: getattr(wanted, name) for name in ("model", "precision")}
    checkpoint = find_checkpoint("sam", wanted.model)
    given = {"prompt": "hbox", "checkpoint": checkpoint, "precision": wanted.precision}
    rates: dict[str, float] = {}
    digests = set()
    with tempfile.TemporaryDirectory() as name:
        product = Path(name, "product")
        write_product(product, tiles=wanted.tiles, side=1024, boxes=wanted.boxes)
        for workers in wanted.workers:
            runtime = {"executor": wanted.executor, "device": wanted.device, "threads": workers}
            out, work = Path(name, f"out{workers}"), Path(name, f"work{workers}")
            label(product, out, **given, runtime=runtime, work=work)
            rates[str(workers)] = round(rate(work / "log.jsonl"), 3)
            made = b"".join(path.read_bytes() for path in shard_paths(out, "masks"))
            digests.add(hashlib.sha256(made).hexdigest())
    first = next(iter(rates.values()))
    figures = {
        "executor": wanted.executor,
        "device": wanted.device,
        **made_by,
        "tiles": wanted.tiles,
        "boxes": wanted.boxes,
        "tiles_per_s": rates,
        "speed_up": {workers: round(value / first, 2) for workers, value in rates.items()},
        "same_bytes": len(digests) == 1,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
