"""Trains nano on procedural scenes and shapes, on the CPU, and writes its weights.

    samrs nano train --cycles 3000+1250 --cycles 4000+2000 --out nano.safetensors

SAM's training, made small: each crop is encoded once, its instances are asked for with mixed
prompts (boxes, points, masks, sums), some again with the first answer as mask prompt; the losses
are SAM's kind (pixel-wise, dice, and the squared error of the predicted IoU). A crop stands
anywhere in the 1024 px frame, since the encoder knows no absolute position.

In each cycle `S+C` the learning rate is constant for S steps and falls to zero over C; the next one
goes on from the weights of the last (WSD-S, Wen et al. 2024, arXiv:2410.05192). Large crops are
more frequent toward a cycle's end and after the first. What is written is an average of the
weights.
Progress is kept under `--work`: the same command goes on where it was stopped, further cycles
prolong a finished run, and larger numbers one that does not cool down yet.

`--processes` share a step, each with its own crops and one thread; their gradients are averaged.
Two of them use two cores better than two threads do, which wait for each other thousands of times a
step. The weights depend on their number, as on the seed.
"""

from __future__ import annotations

import math
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from segment_anything.modeling import Sam
from torch import Tensor, distributed, nn
from torch.func import functional_call
from torch.multiprocessing.spawn import start_processes
from torch.nn import functional as F
from tqdm import tqdm

from samrs.nano.dense_loss import DenseHead, dense_targets
from samrs.nano.items import distort_colours, draw_crop, draw_item
from samrs.nano.questions import KINDS, Questions, ask, draw_kinds
from samrs.sam.nano import (
    FRAME,
    MASK_STRIDE,
    PIXEL_MEAN,
    PIXEL_STD,
    TOKEN,
    WIDTH,
    build_nano,
)

REHEARSALS = ((8, 32), (16, 12))
"""Of box filling: tokens a side, rectangles a step."""
SIZES = {256: (6, 12), 512: (2, 24), 1024: (1, 36)}
"""Crop side in px: crops a step and process, instances a crop."""


@dataclass(frozen=True)
class Course:
    """What a cycle trains on.

    Args:
        mix: the share of the steps with crops of each size.
        late: the same for the second half of the cooldown.
        whole: share of the questions that are decoded over the whole crop.
        items: of the bank.
    """

    mix: dict[int, float]
    late: dict[int, float]
    whole: float
    items: int


LARGER = {256: 0.60, 512: 0.32, 1024: 0.08}
LARGEST = {256: 0.45, 512: 0.40, 1024: 0.15}
COURSES = (
    Course({256: 0.84, 512: 0.14, 1024: 0.02}, {256: 0.60, 512: 0.30, 1024: 0.10}, 0.08, 3000),
    Course(LARGER, LARGEST, 0.25, 3000),
    Course(LARGER, LARGEST, 0.25, 3600),
)
"""Of the first cycle, the second, and all after it."""

FIRST_ITEMS = 240
WARMUP = 60
RATE_MATRICES = 2.5e-3
RATE_OTHERS = 1.5e-3
DENSE = 2.0
"""Weight of the dense loss."""
DECAY = 0.05
CLIP = 1.0
AVERAGE = 0.99


@dataclass(frozen=True)
class Cycle:
    """The `number`th, from 0: steps from `first` on, `stable` of them at a constant rate and
    `cooldown` with the rate falling to zero."""

    number: int
    first: int
    stable: int
    cooldown: int

    @property
    def end(self) -> int:
        """The first step after it."""
        return self.first + self.stable + self.cooldown

    def rate_at(self, step: int) -> float:
        """The learning rate's factor: a rise, a plateau, a fall to zero."""
        own = step - self.first
        if own < min(WARMUP, self.stable):
            return (own + 1) / WARMUP
        return min(1.0, (self.end - step) / max(self.cooldown, 1))

    def mix_at(self, step: int) -> dict[int, float]:
        """The share of the steps with crops of each size."""
        late = step >= self.first + self.stable + self.cooldown // 2
        return self.course.late if late else self.course.mix

    @property
    def course(self) -> Course:
        """What it trains on."""
        return COURSES[min(self.number, len(COURSES) - 1)]


def cycles_of(said: Sequence[str]) -> list[Cycle]:
    """Cycles from words "stable+cooldown".

    Raises:
        ValueError: a word is not of that form.
    """
    cycles: list[Cycle] = []
    for word in said:
        match = re.fullmatch(r"(\d+)\+(\d+)", word)
        if match is None:
            raise ValueError(
                f"train_nano: a cycle is not readable, got {word!r}; write its steps at a constant "
                "rate and those of its cooldown, as 3000+1250"
            )
        first = cycles[-1].end if cycles else 0
        cycles.append(Cycle(len(cycles), first, int(match[1]), int(match[2])))
    return cycles


def cycle_at(cycles: list[Cycle], step: int) -> Cycle:
    """The cycle that `step` is in."""
    return next(cycle for cycle in cycles if step < cycle.end)


class Crops(torch.utils.data.Dataset[dict[str, Any]]):
    """Step `i`'s batch of one process as tensors; the same for the same seed, whoever draws it."""

    def __init__(
        self, folder: Path, *, seed: int, items: int, first: int, cycles: list[Cycle], rank: int
    ):
        self.folder, self.seed, self.items, self.rank = folder, seed, items, rank
        self.first, self.cycles = first, cycles

    def __len__(self) -> int:
        return self.cycles[-1].end - self.first

    def __getitem__(self, place: int) -> dict[str, Any]:
        step = self.first + place
        rng = np.random.default_rng((self.seed, step))
        cycle = cycle_at(self.cycles, step)
        mix = cycle.mix_at(step)
        # one size for all processes, or the others would wait for the largest
        size = int(rng.choice(list(mix), p=list(mix.values())))
        rng = np.random.default_rng((self.seed, step, self.rank))
        count, most = SIZES[size]
        # the bank grows with the run, so that training need not wait for all of it
        items = min(self.items, cycle.course.items, FIRST_ITEMS + step)
        kinds, whole = draw_kinds(rng), cycle.course.whole
        images: list[Any] = []
        dense: list[Any] = []
        asked: dict[int, list[Questions]] = {}
        for place in range(count):
            crop = draw_crop(rng, self.folder, items=items, size=size, most=most)
            images.append(normalised(crop.image, crop.filled_hw))
            dense.append(dense_targets(crop.ids))
            offset = rng.integers(0, (FRAME - size) // TOKEN + 1, 2)
            for one in ask(rng, crop.masks, place=place, offset=offset, kinds=kinds, whole=whole):
                asked.setdefault(one.targets.shape[-1], []).append(one)
        return {
            "images": torch.from_numpy(np.stack(images)),
            "dense": torch.from_numpy(np.stack(dense)),
            "asked": [Questions.joined(parts) for parts in asked.values()],
            "again": kinds[step % 2] if step % 4 < 2 else -1,
        }


def normalised(image: Any, filled_hw: tuple[int, int]) -> Any:
    """(3, n, n) float32 as `Sam.preprocess` gives it: zero where the crop is padding."""
    out = np.empty((3, *image.shape[:2]), np.float32)
    for channel, (mean, spread) in enumerate(zip(PIXEL_MEAN, PIXEL_STD, strict=True)):
        out[channel] = (image[..., channel].astype(np.float32) - mean) / spread
    out[:, filled_hw[0] :], out[:, :, filled_hw[1] :] = 0, 0
    return out


class Trainee(nn.Module):
    """nano, answering the questions of a batch of crops."""

    def __init__(self, sam: Sam) -> None:
        super().__init__()
        self.sam = sam
        self.dense = DenseHead()

    def forward(self, images: Tensor, dense: Tensor, asked: list[Questions], again: int) -> Tensor:
        """The loss of one batch; questions of kind `again` are asked twice, the second time with
        the first answer as mask prompt."""
        embeddings = self.sam.image_encoder(images).float()
        seen: Tensor = DENSE * self.dense(embeddings, dense)
        grid = embeddings.shape[-1]
        embeddings = embeddings.permute(0, 2, 3, 1).flatten(0, 2)
        frame = FRAME // TOKEN
        pe = self.sam.prompt_encoder.get_dense_pe()[0].permute(1, 2, 0).flatten(0, 1)
        losses = []
        for window in asked:
            for kind in window.kinds():
                part = window.take(kind)
                side = part.targets.shape[-1] * MASK_STRIDE // TOKEN
                own = _windows(embeddings, part.place * grid * grid, part.corner, grid, side)
                where = _windows(pe, part.place * 0, part.offset + part.corner, frame, side)
                logits, scores = self.answer(own, where, part)
                losses.append(answer_loss(logits, scores, part))
                if kind == again:
                    best = logits[::2, :1].detach().clamp(-32, 32)
                    part = part.select(torch.arange(0, len(part), 2))
                    logits, scores = self.answer(own[::2], where[::2], part, best)
                    losses.append(answer_loss(logits, scores, part))
        return seen + torch.cat(losses).mean() if losses else seen

    def answer(
        self, embeddings: Tensor, places: Tensor, part: Questions, masks: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(K, 4, 4 g, 4 g) logits and (K, 4) predicted IoUs of questions of one kind.

        As `MaskDecoder.predict_masks`, which has one image for all prompts; here each prompt
        brings its own window of g x g tokens: embedding and positional encoding (K, C, g, g).
        """
        decoder, prompts = self.sam.mask_decoder, self.sam.prompt_encoder
        masks = part.masks if masks is None else masks
        points = None if part.points is None else (part.points, part.labels)
        sparse, _ = prompts(points, part.boxes, None)
        sparse = sparse.expand(len(part), -1, -1)
        if masks is None:
            dense = prompts.no_mask_embed.weight[..., None, None]
        else:
            dense = prompts.mask_downscaling(masks)
        source = embeddings + dense
        own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
        tokens = torch.cat([own.expand(len(part), -1, -1), sparse], 1)
        said, source = decoder.transformer(source, places, tokens)
        source = source.transpose(1, 2).reshape(embeddings.shape)
        upscaled = decoder.output_upscaling(source)
        heads = [head(said[:, 1 + i]) for i, head in enumerate(decoder.output_hypernetworks_mlps)]
        logits = torch.einsum("bkc,bchw->bkhw", torch.stack(heads, 1), upscaled)
        return logits, decoder.iou_prediction_head(said[:, 0])


def _windows(tokens: Tensor, start: Tensor, corner: Tensor, width: int, side: int) -> Tensor:
    """(K, C, side, side) windows of token rows (N, C), which are grids `width` wide from `start`
    (K,) on; `corner` (K, 2) is each window's xy."""
    step = torch.arange(side)
    rows = (corner[:, 1, None] + step) * width
    index = start[:, None, None] + rows[:, :, None] + (corner[:, 0, None] + step)[:, None, :]
    return tokens[index.flatten()].view(*index.shape, -1).permute(0, 3, 1, 2)


def answer_loss(logits: Tensor, scores: Tensor, part: Questions) -> Tensor:
    """(K,) loss of each question: token 0's mask, the best of the other three, and the scores."""
    target = part.targets[:, None].float() / MASK_STRIDE**2
    count = part.targets.flatten(1).float().sum(1)[:, None] / MASK_STRIDE**2
    chance = logits.sigmoid()
    cross = F.binary_cross_entropy_with_logits(logits, target.expand_as(logits), reduction="none")
    missed = (chance - target).abs()
    # by the instance's size, or background would drown it; not only, or tiny ones would rule
    weight = count + 0.02 * min(target[0].numel(), 64**2)
    focal = (cross * (0.1 + missed)).flatten(2).sum(2) / weight
    both = (chance * target).flatten(2).sum(2)
    dice = 1 - (2 * both + 1) / (chance.flatten(2).sum(2) + (target**2).flatten(2).sum(2) + 1)
    masks = 2 * focal + dice
    with torch.no_grad():
        said, true = logits > 0, target > 0.5
        union = (said | true).flatten(2).sum(2)
        iou = (said & true).flatten(2).sum(2) / union.clamp(min=1)
    best = masks[:, 1:].min(1).values
    return masks[:, 0] + 0.2 * best + (scores - iou).square().mean(1)


def for_crops(state: dict[str, Tensor], size: int) -> dict[str, Tensor]:
    """The parameters as a crop of `size` px uses them: the middle of the global blocks' relative
    positions; bfloat16 in the image encoder (the decoder's matrices are too small to gain)."""
    out = {}
    trim = (FRAME - size) // TOKEN
    for name, value in state.items():
        if trim and "rel_pos" in name and value.shape[0] == 2 * FRAME // TOKEN - 1:
            value = value[trim:-trim]
        out[name] = value.bfloat16() if "image_encoder" in name else value
    return out


def optimisers(model: nn.Module) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the transformer blocks, AdamW for all else."""
    matrices: list[Tensor] = []
    others: list[Tensor] = []
    for name, value in model.named_parameters():
        in_block = "blocks" in name or "transformer" in name
        is_matrix = value.ndim == 2 and "rel_pos" not in name and in_block
        (matrices if is_matrix else others).append(value)
    muon = torch.optim.Muon(
        matrices, lr=RATE_MATRICES, weight_decay=DECAY, adjust_lr_fn="match_rms_adamw", ns_steps=4
    )
    return [muon, torch.optim.AdamW(others, lr=RATE_OTHERS, betas=(0.9, 0.98), weight_decay=0.01)]


def rehearse(model: Trainee, *, steps: int, seed: int) -> list[float]:
    """Teaches the decoder what a box is, before there is anything to see: over noise instead of an
    image's embedding, the answer to a prompt is the filled box.

    Without the image encoder a step costs a fraction, and geometry is what costs SAM's decoder most
    steps: it has only sines of the corners' coordinates to go by.
    """
    noise = torch.Generator().manual_seed(seed)
    tools = optimisers(model)
    cycle = Cycle(0, 0, int(0.7 * steps), steps - int(0.7 * steps))
    losses: list[float] = []
    for step in tqdm(range(steps), desc="nano: boxes", unit="step", mininterval=10):
        rng = np.random.default_rng((seed, 1, step))
        kind = draw_kinds(rng)[step % 2]
        kind = 0 if "point" in KINDS[kind] else kind
        part = Questions.joined(_rectangles(rng, kind, *REHEARSALS[int(step % 4 == 0)])).take(kind)
        side = part.targets.shape[-1] * MASK_STRIDE // TOKEN
        pe = model.sam.prompt_encoder.get_dense_pe()[0].permute(1, 2, 0).flatten(0, 1)
        where = _windows(pe, part.place * 0, part.offset, FRAME // TOKEN, side)
        image = torch.randn(where.shape, generator=noise)
        logits, scores = model.answer(image, where, part)
        loss = answer_loss(logits, scores, part).mean()
        losses.append(_improve(model, tools, loss, cycle.rate_at(step), alone=True))
        if (step + 1) % 50 == 0:
            tqdm.write(f"{time.strftime('%H:%M:%S')} boxes {step + 1} {np.mean(losses[-50:]):.4f}")
    return losses


def _rectangles(rng: np.random.Generator, kind: int, grid: int, count: int) -> list[Questions]:
    """Questions about `count` rectangles, each in its own square of `grid` tokens in the frame."""
    side = grid * TOKEN
    asked = []
    for _ in range(count):
        width, height = np.exp(rng.uniform(np.log(5), np.log(0.95 * side), 2)).astype(int)
        x, y = rng.integers(0, side - width + 1), rng.integers(0, side - height + 1)
        mask = np.zeros((1, side, side), np.bool_)
        mask[0, y : y + height, x : x + width] = True
        offset = rng.integers(0, FRAME // TOKEN - grid + 1, 2)
        asked += ask(
            rng,
            mask,
            place=0,
            offset=offset,
            kinds=(kind, kind),
            whole=COURSES[0].whole,
            windows=(grid,),
        )
    return asked


def train(
    *, cycles: Sequence[str], items: int, seed: int, bank: Path, work: Path, out: Path,
    rehearsal: int = 0, keep_every: int = 100, processes: int = 1, workers: int = 1,
) -> None:  # fmt: skip
    """Trains for the steps of all `cycles`, going on from `work` where it can.

    Args:
        cycles: each "stable+cooldown", in steps.
        rehearsal: steps of box filling before the first one.
        items: at most so many of the bank's.
        keep_every: after so many steps the state is kept and the averaged weights written to `out`.
        processes: that share a step; they change the result.
        workers: further processes drawing crops for each; speed only.
    """
    run = Run(cycles_of(cycles), items, seed, bank, work, out, rehearsal, keep_every, workers)
    if processes == 1:
        torch.set_num_threads(1)
        run.train(0)
        return
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as meeting:
        arguments = (run, processes, Path(meeting) / "meeting")
        start_processes(_one_of, arguments, nprocs=processes)  # type: ignore[no-untyped-call]


def _one_of(rank: int, run: Run, processes: int, meeting: Path) -> None:
    """One of several training processes."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{meeting.absolute()}", rank=rank, world_size=processes
    )
    run.train(rank)
    distributed.destroy_process_group()


@dataclass(frozen=True)
class Run:
    """A training run, as `train` is asked for it."""

    cycles: list[Cycle]
    items: int
    seed: int
    bank: Path
    work: Path
    out: Path
    rehearsal: int
    keep_every: int
    workers: int

    def train(self, rank: int) -> None:
        """The part of one process; the first writes."""
        model = first_model(self.seed)
        average = {name: value.detach().clone() for name, value in model.state_dict().items()}
        tools = optimisers(model)
        kept, rehearsed = self.work / "state.pt", self.work / "rehearsed.pt"
        done = 0
        if kept.exists():
            state = torch.load(kept, weights_only=True)
            model.load_state_dict(state["model"])
            average, done = state["average"], state["done"]
            for tool, saved in zip(tools, state["tools"], strict=True):
                tool.load_state_dict(saved)
        elif self.rehearsal:
            if rank == 0 and not rehearsed.exists():
                rehearse(model, steps=self.rehearsal, seed=self.seed)
                _keep(model.state_dict(), rehearsed)
            _meet()
            model.load_state_dict(torch.load(rehearsed, weights_only=True))
            average = {name: value.detach().clone() for name, value in model.state_dict().items()}
        total = self.cycles[-1].end
        crops = Crops(
            self.bank, seed=self.seed, items=self.items, first=done, cycles=self.cycles, rank=rank
        )
        loader = torch.utils.data.DataLoader(
            crops, batch_size=None, num_workers=self.workers,
            prefetch_factor=4 if self.workers else None,
        )  # fmt: skip
        losses: list[float] = []
        bar = tqdm(total=total, initial=done, desc="nano", unit="step", mininterval=10,
                   disable=rank > 0)  # fmt: skip
        for step, batch in zip(range(done, total), loader, strict=True):
            factor = cycle_at(self.cycles, step).rate_at(step)
            losses.append(_improve(model, tools, batch_loss(model, batch), factor))
            bar.update()
            decay = min(AVERAGE, (1 + step) / (10 + step))
            for name, value in model.state_dict().items():
                average[name].lerp_(value, 1 - decay)
            if rank > 0:
                continue
            if (step + 1) % 20 == 0:
                tqdm.write(f"{time.strftime('%H:%M:%S')} {step + 1} {np.mean(losses[-20:]):.4f}")
            if (step + 1) % self.keep_every == 0 or step + 1 == total:
                keep = {"model": model.state_dict(), "average": average, "done": step + 1}
                _keep({**keep, "tools": [tool.state_dict() for tool in tools]}, kept)
                write_weights(average, self.out)
        bar.close()


def first_model(seed: int) -> Trainee:
    """nano before training."""
    torch.manual_seed(seed)
    model = Trainee(build_nano()).train()
    with torch.no_grad():  # first logits near zero, or the first hundred steps only shrink them
        for head in model.sam.mask_decoder.output_hypernetworks_mlps:
            head.layers[-1].weight.mul_(0.05)
            head.layers[-1].bias.zero_()
        weight, bias = whitening_filters(seed)
        model.sam.image_encoder.patch_embed.proj.weight.copy_(weight)
        model.sam.image_encoder.patch_embed.proj.bias.copy_(bias)
    return model


@cache
def whitening_filters(seed: int, items: int = 24, ridge: float = 0.05) -> tuple[Tensor, Tensor]:
    """The first layer before training, (WIDTH, 3, 16, 16) and (WIDTH,): the principal components
    of tokens, each scaled to about unit variance, `ridge` being added to theirs.

    Random filters see little but a token's mean, where most of an image's variance is; what an
    outline needs is in the rest. After Jordan, arXiv:2404.00498, 3.2.
    """
    rng = np.random.default_rng((seed, 2))
    tokens = []
    for index in range(items):
        image, _ = draw_item(index)
        pixels = torch.from_numpy(normalised(distort_colours(rng, image), image.shape[:2]))
        tokens.append(F.unfold(pixels[None], TOKEN, stride=TOKEN)[0].T)
    rows = torch.cat(tokens).double()
    mean = rows.mean(0)
    variances, axes = torch.linalg.eigh(torch.cov(rows.T))
    variances, axes = variances.flip(0)[:WIDTH], axes.flip(1)[:, :WIDTH]
    # an axis has no direction of its own: the same sign on every machine
    axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
    filters = (axes / (variances + ridge).sqrt()).T
    weight = filters.view(WIDTH, 3, TOKEN, TOKEN).float()
    return weight, -(filters @ mean).float()


def _keep(state: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


def _meet() -> None:
    """Waits for the other processes."""
    if distributed.is_initialized():
        distributed.barrier()


def _share(model: Trainee) -> None:
    """Averages the gradients over the processes."""
    if not distributed.is_initialized():
        return
    held = [p for p in model.parameters() if p.requires_grad]
    parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in held]
    flat = torch.cat([part.flatten() for part in parts])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for p, part in zip(held, torch.split(flat, [p.numel() for p in held]), strict=True):
        p.grad = part.view_as(p)


def batch_loss(model: Trainee, batch: dict[str, Any]) -> Tensor:
    """The loss of a batch of `Crops`."""
    state = for_crops(dict(model.named_parameters()), batch["images"].shape[-1])
    arguments = (batch["images"].bfloat16(), batch["dense"], batch["asked"], batch["again"])
    loss: Tensor = functional_call(model, state, arguments)
    return loss


def _improve(
    model: Trainee,
    tools: list[torch.optim.Optimizer],
    loss: Tensor,
    factor: float,
    *,
    alone: bool = False,
) -> float:
    """One step of the optimisers at `factor` of their rates; the loss as a number.

    The gradients are those of all processes unless this one is `alone` in it.
    """
    value = float(loss.detach())
    if not math.isfinite(value):
        raise FloatingPointError(f"train_nano: the loss is no number, got {value}")
    torch.autograd.backward(loss)
    if not alone:
        _share(model)
    nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    for tool in tools:
        for group in tool.param_groups:
            group["initial_lr"] = group.get("initial_lr", group["lr"])
            group["lr"] = group["initial_lr"] * factor
        tool.step()
        tool.zero_grad(set_to_none=True)
    return value


def write_weights(state: dict[str, Tensor], out: Path) -> None:
    """Writes a trainee's weights as half precision safetensors, at once or not at all."""
    sam = {name: value for name, value in state.items() if name.startswith("sam.")}
    half = {name.removeprefix("sam."): value.half().contiguous() for name, value in sam.items()}
    # frequencies are exact in float32, and a few hundred bytes
    for name in half:
        if "gaussian" in name or "pixel" in name:
            half[name] = state["sam." + name].contiguous()
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_suffix(".new")
    save_file(half, partial, metadata={"format": "pt", "model": "nano"})
    partial.chmod(0o644)
    partial.replace(out)
