"""Labelling against the official loop, alternately on the same tiles in one process.

    python -m benchmarks.label --model vit_b --precision bfloat16 --tiles 4

For SAM 2.1 (`--model sam2.1_hiera_b+`, random weights) the official loop is transformers': a
picture encoded once by its processor and model, 20 boxes a call, and its post-processing. That of
others is `SamPredictor.set_image` + `predict_torch`, 20 boxes a call, and pycocotools' encoding, as
SAMRS ran it, in float32 and with all cores. The engine labels as the stage does: through the local
executor, from the encoded image to the masks' run lengths and scores. ViT-B, L
and H have random weights here: that changes no speed. Tiles are procedural scenes of 1024 px with
35 boxes each, SAMRS's order of magnitude (1.67 million masks on 105,090 tiles are 16 a tile, DOTA's
tiles hold more).

`--networks together` has the engine compute tiles of several threads in one pass, as it does on a
GPU, and `alone` each by itself, as on a CPU; `both` measures the one against the other too
(`together_over_alone`).

Prints one JSON line: tiles/s and masks/s of both, their ratio, where a tile's time goes, how well
the masks agree, peak memory of the process (`peak_gib`, both sides) and of the engine on the GPU
(`peak_gib_gpu`, with both sides' weights); with --peak-tflops also the share of them that the
encoder uses.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from segment_anything import SamPredictor, sam_model_registry
from segment_anything.modeling import Sam
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import family
from samrs.core.images import decode_rgb, encode_rgb
from samrs.core.jobs import in_order
from samrs.core.rle import Rle, mask_to_rle, rle_area, rle_iou
from samrs.executors import local
from samrs.executors.local import LocalExecutor
from samrs.label.scores import mask_scores
from samrs.prompting.recipes import parse_recipe
from samrs.prompting.types import Boxes
from samrs.sam.batches import Alone, Networks
from samrs.sam.checkpoints import build_sam
from samrs.scenes.render import render_scene
from samrs.segmenters.sam import NETWORKS, PRECISIONS, SamSegmenter
from samrs.weights.weights import find_checkpoint

SIDE = 1024
BOXES_A_CALL = 20
CHUNK = {"cpu": 4, "cuda": 64}
"""Prompts of a tile at once where tiles are alone."""
FIRST_SEED = 30_000_000

TOLD = ("model", "device", "precision", "networks", "tiles", "boxes", "rounds")

Tile = tuple[bytes, Boxes]


def model(name: str, device: str) -> Sam:
    """nano as it is; the others with seeded random weights."""
    if name == "nano":
        return build_sam(name, find_checkpoint("sam", name).verified(), device=device)
    torch.manual_seed(0)
    sam: Sam = sam_model_registry[name]().eval()
    return sam.to(device)


def tile(number: int, count: int) -> Tile:
    """A scene as PNG, and `count` boxes: those of its things, then random ones."""
    scene = render_scene(FIRST_SEED + number, size_hw=(SIDE, SIDE))
    rng = np.random.default_rng(number)
    corner = rng.uniform(0, SIDE - 64, (count, 2))
    random = np.concatenate([corner, corner + rng.uniform(8, 64, (count, 2))], 1)
    own = np.array([thing.box for thing in scene.objects], np.float64).reshape(-1, 4)
    boxes = np.concatenate([own, random])[:count]
    return encode_rgb(scene.image), Boxes(boxes, np.full((count, 4, 2), np.nan), (SIDE, SIDE))


class Official:
    """The loop of SAMRS around the official predictor."""

    def __init__(self, sam: Sam) -> None:
        self.predictor = SamPredictor(sam)

    def __call__(self, image: bytes, boxes: Boxes) -> list[Rle]:
        """The masks of one tile."""
        predictor = self.predictor
        predictor.set_image(decode_rgb(image, "tile"))
        found: list[Rle] = []
        for start in range(0, len(boxes), BOXES_A_CALL):
            asked = torch.as_tensor(boxes.hbb[start : start + BOXES_A_CALL], dtype=torch.float)
            framed = predictor.transform.apply_boxes_torch(asked, boxes.size_hw)
            masks, _, _ = predictor.predict_torch(
                None, None, framed.to(predictor.device), multimask_output=False
            )
            found += [mask_to_rle(mask) for mask in masks[:, 0].cpu().numpy()]
        return found


def engine(sam: Sam, precision: str, networks: str) -> SamSegmenter:
    """The segmenter of a SAM.

    Args:
        networks: one of ``--networks``.
    """
    made: dict[str, Callable[..., Networks] | None] = {
        "alone": partial(Alone, chunk=CHUNK[sam.device.type]),
        "together": NETWORKS["cuda"],
        "usual": None,
    }
    return SamSegmenter(sam, precision, made[networks])


class Ours:
    """The engine."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.recipe = parse_recipe("hbox")

    def __call__(self, image: bytes, boxes: Boxes) -> list[Rle]:
        """The masks of one tile, their scores having been computed."""
        state = self.engine.encode(decode_rgb(image, "tile"))
        found: list[Rle] = self.engine.decode(state, self.recipe.build(boxes)).rles
        for rle, box in zip(found, boxes.hbb, strict=True):
            mask_scores(rle, box, None)
        return found


class Clock:
    """Seconds by phase."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Adds the time of a block to a phase."""
        begin = self._now()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + self._now() - begin

    def _now(self) -> float:
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def wrap(self, owner: Any, method: str, name: str) -> None:
        """Counts a method's time as a phase."""
        original = getattr(owner, method)

        def timed(*given: Any) -> Any:
            with self.phase(name):
                return original(*given)

        setattr(owner, method, timed)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.label")
    parser.add_argument(
        "--model", default="nano", choices=["nano", "vit_b", "vit_l", "vit_h", *family.MODELS]
    )
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--precision", default="float32", choices=PRECISIONS)
    parser.add_argument("--tiles", type=int, default=4)
    parser.add_argument("--boxes", type=int, default=35, help="a tile")
    parser.add_argument("--rounds", type=int, default=2, help="of both over all tiles, in turn")
    parser.add_argument(
        "--networks", default="usual", choices=["usual", "alone", "together", "both"]
    )
    parser.add_argument("--threads", type=int, help="tiles in work at once; default: the device's")
    parser.add_argument("--peak-tflops", type=float, help="of the device at this precision")
    wanted = parser.parse_args()
    if wanted.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device: torch finds no GPU here, got cuda; check nvidia-smi, or use cpu")

    threads = torch.get_num_threads()
    clock = Clock(wanted.device)
    sam: Any = None
    made: Any = None
    if wanted.model in family.MODELS:
        made = family.model(wanted.model).to(wanted.device)
    else:
        sam = model(wanted.model, wanted.device)
    official: Any = Official(sam) if made is None else family.Library(made)
    # what is named first is the engine that the official loop is compared with
    names = ["together", "alone"] if wanted.networks == "both" else [wanted.networks]

    def ours_by(name: str) -> Ours:
        """The engine, by one of ``--networks``."""
        if made is not None:
            return Ours(family.engine(made, wanted.precision))
        return Ours(engine(sam, wanted.precision, name))

    engines = [ours_by(name) for name in names]
    runtime = {"device": wanted.device, "threads": wanted.threads}
    tiles = [tile(number, wanted.boxes) for number in range(wanted.tiles)]

    def of(ours: Ours) -> LocalExecutor:
        return local.load(lambda: ours, runtime)

    with ExitStack() as stack:
        executors = [stack.enter_context(of(ours)) for ours in engines]
        at_once = executors[0].slots - 1

        def labelled(executor: LocalExecutor, some: list[Tile]) -> list[list[Rle]]:
            """An engine's masks of every tile, as the stage makes them."""
            jobs = in_order(some, lambda job: executor.submit(*job), executor.slots)
            return [wait() for _, wait in jobs]

        # a rehearsal: allocators, code paths and clocks warm up
        official(*tiles[0])
        for executor in executors:
            labelled(executor, tiles[:at_once])
        for _ in range(wanted.rounds):
            torch.set_num_threads(threads)
            with clock.phase("official"):
                theirs = [official(*one) for one in tiles]
            if wanted.device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            with clock.phase("ours"):
                answers = labelled(executors[0], tiles)
            for executor in executors[1:]:
                with clock.phase("apart"):
                    labelled(executor, tiles)
    pairs = [(a, b) for one, other in zip(theirs, answers, strict=True)
             for a, b in zip(one, other, strict=True)]  # fmt: skip
    gpu_bytes = torch.cuda.max_memory_allocated() if wanted.device == "cuda" else None
    single = ours_by("alone")
    single(*tiles[0])
    clock.wrap(single.engine, "encode", "encode")
    clock.wrap(single.engine, "_low_res", "decode")
    with clock.phase("alone"):
        single(*tiles[0])
    print(json.dumps(result(wanted, clock.seconds, pairs, sam, at_once, gpu_bytes)))


def result(
    wanted: argparse.Namespace,
    seconds: dict[str, float],
    pairs: list[tuple[Rle, Rle]],
    sam: Sam | None,
    at_once: int,
    gpu_bytes: int | None,
) -> dict[str, Any]:
    """What is printed."""
    tiles = wanted.tiles * wanted.rounds
    phases = {name: seconds[name] / seconds["alone"] for name in ("encode", "decode")}
    # two empty masks agree
    agreement = [
        1.0 if rle_area(a) == rle_area(b) == 0 else float(rle_iou([a], [b])[0, 0]) for a, b in pairs
    ]
    out = {
        **{name: getattr(wanted, name) for name in TOLD},
        "cores": len(os.sched_getaffinity(0)),
        "tiles_at_once": at_once,
        "ratio": round(seconds["official"] / seconds["ours"], 2),
        "mean_iou": round(float(np.mean(agreement)), 5),
        "iou_percentile_1": round(float(np.percentile(agreement, 1)), 5),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "share": {k: round(v, 3) for k, v in {**phases, "rest": 1 - sum(phases.values())}.items()},
    }
    for name in ("official", "ours"):
        out[f"{name}_tiles_per_s"] = round(tiles / seconds[name], 3)
        out[f"{name}_masks_per_s"] = round(tiles * wanted.boxes / seconds[name], 2)
    if "apart" in seconds:
        out["together_over_alone"] = round(seconds["apart"] / seconds["ours"], 2)
    if gpu_bytes is not None:
        out["peak_gib_gpu"] = round(gpu_bytes / 2**30, 2)
    if wanted.peak_tflops and sam is not None:
        used = encoder_flops(sam) * tiles / seconds["ours"]
        out["flop_utilisation"] = round(used / (wanted.peak_tflops * 1e12), 3)
    return out


@torch.inference_mode()
def encoder_flops(sam: Sam) -> int:
    """Multiplications and additions of one pass of the official image encoder."""
    size = sam.image_encoder.img_size
    pixels = torch.zeros(1, 3, size, size, device=sam.device)
    with FlopCounterMode(display=False) as counter:
        sam.image_encoder(pixels)
    return int(counter.get_total_flops())


if __name__ == "__main__":
    main()
