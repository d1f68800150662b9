"""Trains nano on procedural scenes and shapes, on the CPU, and writes its weights.

    python -m samrs.sam.train_nano --steps 1500 --cooldown 1400 --out models/nano.safetensors

SAM's training, made small: each crop is encoded once, its instances are asked for with mixed
prompts (boxes, points, masks, sums), some again with the first answer as mask prompt; the losses
are SAM's kind (pixel-wise, dice, and the squared error of the predicted IoU). A crop stands
anywhere in the 1024 px frame, since the encoder knows no absolute position.

The learning rate is constant for `steps` and falls to zero over `cooldown`, in whose second half
large crops are frequent; an average of the weights is what is written. Progress is kept under
`--work`: the same command goes on where it was stopped, and larger numbers prolong a run. One
thread is the default, because on a shared machine two of them mostly wait for each other.
"""

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from segment_anything.modeling import Sam
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from tqdm import tqdm

from samrs.sam.bank import draw_crop
from samrs.sam.nano import (
    FRAME,
    MASK_STRIDE,
    PIXEL_MEAN,
    PIXEL_STD,
    TOKEN,
    build_nano,
)
from samrs.sam.questions import KINDS, Questions, ask, draw_kinds

REHEARSALS = ((8, 32), (16, 12))
"""Of box filling: tokens a side, rectangles a step."""
SIZES = {256: (4, 8), 512: (1, 24), 1024: (1, 24)}
"""Crop side in px: crops a step, instances a crop."""
MIX = {256: 0.90, 512: 0.09, 1024: 0.01}
MIX_LATE = {256: 0.60, 512: 0.30, 1024: 0.10}
FIRST_ITEMS = 240
WARMUP = 60
RATE_MATRICES = 2e-3
RATE_OTHERS = 1e-3
DECAY = 0.05
CLIP = 1.0
AVERAGE = 0.99


class Crops(torch.utils.data.Dataset[dict[str, Any]]):
    """Step `i`'s batch as tensors; the same for the same seed, whoever draws it."""

    def __init__(self, folder: Path, *, seed: int, items: int, first: int, steps: int, stable: int):
        self.folder, self.seed, self.items = folder, seed, items
        self.first, self.steps, self.stable = first, steps, stable

    def __len__(self) -> int:
        return self.steps - self.first

    def __getitem__(self, place: int) -> dict[str, Any]:
        step = self.first + place
        rng = np.random.default_rng((self.seed, step))
        mix = MIX if step < (self.stable + self.steps) // 2 else MIX_LATE
        size = int(rng.choice(list(mix), p=list(mix.values())))
        count, most = SIZES[size]
        # the bank grows with the run, so that training need not wait for all of it
        items = min(self.items, FIRST_ITEMS + step)
        kinds = draw_kinds(rng)
        images: list[Any] = []
        asked: dict[int, list[Questions]] = {}
        for place in range(count):
            crop = draw_crop(rng, self.folder, items=items, size=size, most=most)
            images.append(normalised(crop.image, crop.filled_hw))
            offset = rng.integers(0, (FRAME - size) // TOKEN + 1, 2)
            for one in ask(rng, crop.masks, place=place, offset=offset, kinds=kinds):
                asked.setdefault(one.targets.shape[-1], []).append(one)
        return {
            "images": torch.from_numpy(np.stack(images)),
            "asked": [Questions.joined(parts) for parts in asked.values()],
            "again": kinds[step % 2] if step % 4 < 2 else -1,
        }


def normalised(image: Any, filled_hw: tuple[int, int]) -> Any:
    """(3, n, n) float32 as `Sam.preprocess` gives it: zero where the crop is padding."""
    out = (image.astype(np.float32) - PIXEL_MEAN) / PIXEL_STD
    out[filled_hw[0] :], out[:, filled_hw[1] :] = 0, 0
    return np.ascontiguousarray(out.transpose(2, 0, 1), dtype=np.float32)


class Trainee(nn.Module):
    """nano, answering the questions of a batch of crops."""

    def __init__(self, sam: Sam) -> None:
        super().__init__()
        self.sam = sam

    def forward(self, images: Tensor, asked: list[Questions], again: int) -> Tensor:
        """The loss of one batch; questions of kind `again` are asked twice, the second time with
        the first answer as mask prompt."""
        embeddings = self.sam.image_encoder(images).float()
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
        return torch.cat(losses).mean() if losses else embeddings.sum() * 0

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


def rate_at(step: int, *, stable: int, cooldown: int) -> float:
    """The learning rate's factor: a rise, a plateau, a fall to zero."""
    if step < WARMUP:
        return (step + 1) / WARMUP
    if step < stable:
        return 1.0
    return max(0.0, 1 - (step - stable) / max(cooldown, 1))


def rehearse(model: Trainee, *, steps: int, seed: int) -> list[float]:
    """Teaches the decoder what a box is, before there is anything to see: over noise instead of an
    image's embedding, the answer to a prompt is the filled box.

    Without the image encoder a step costs a quarter, and geometry is what costs SAM's decoder most
    steps: it has only sines of the corners' coordinates to go by.
    """
    noise = torch.Generator().manual_seed(seed)
    tools = optimisers(model)
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
        factor = rate_at(step, stable=int(0.7 * steps), cooldown=steps - int(0.7 * steps))
        losses.append(_improve(model, tools, loss, factor))
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
        asked += ask(rng, mask, place=0, offset=offset, kinds=(kind, kind), window=grid)
    return asked


def train(
    *, steps: int, cooldown: int, items: int, seed: int, bank: Path, work: Path, out: Path,
    rehearsal: int = 0, keep_every: int = 100, workers: int = 1,
) -> list[float]:  # fmt: skip
    """Trains for `steps` + `cooldown` steps, going on from `work` where it can.

    Args:
        rehearsal: steps of box filling before the first one.
        items: items in the bank.
        keep_every: after so many steps the state is kept and the averaged weights written to `out`.
        workers: processes drawing crops; speed only.

    Returns:
        the losses of the steps taken.
    """
    torch.manual_seed(seed)
    model = Trainee(build_nano()).train()
    with torch.no_grad():  # first logits near zero, or the first hundred steps only shrink them
        for head in model.sam.mask_decoder.output_hypernetworks_mlps:
            head.layers[-1].weight.mul_(0.05)
            head.layers[-1].bias.zero_()
    average = {name: value.detach().clone() for name, value in model.state_dict().items()}
    tools = optimisers(model)
    kept = work / "state.pt"
    done = 0
    if kept.exists():
        state = torch.load(kept, weights_only=True)
        model.load_state_dict(state["model"])
        average, done = state["average"], state["done"]
        for tool, saved in zip(tools, state["tools"], strict=True):
            tool.load_state_dict(saved)
    elif rehearsal:
        rehearse(model, steps=rehearsal, seed=seed)
        average = {name: value.detach().clone() for name, value in model.state_dict().items()}
    total = steps + cooldown
    crops = Crops(bank, seed=seed, items=items, first=done, steps=total, stable=steps)
    loader = torch.utils.data.DataLoader(
        crops, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None
    )
    losses: list[float] = []
    for step, batch in zip(_bar(done, total), loader, strict=False):
        factor = rate_at(step, stable=steps, cooldown=cooldown)
        losses.append(_improve(model, tools, batch_loss(model, batch), factor))
        decay = min(AVERAGE, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            average[name].lerp_(value, 1 - decay)
        if (step + 1) % 20 == 0:
            tqdm.write(f"{time.strftime('%H:%M:%S')} {step + 1} {np.mean(losses[-20:]):.4f}")
        if (step + 1) % keep_every == 0 or step + 1 == total:
            keep = {"model": model.state_dict(), "average": average, "done": step + 1}
            keep["tools"] = [tool.state_dict() for tool in tools]
            work.mkdir(parents=True, exist_ok=True)
            torch.save(keep, kept.with_suffix(".new"))
            kept.with_suffix(".new").replace(kept)
            write_weights(average, out)
    return losses


def _bar(done: int, total: int) -> Iterator[int]:
    yield from tqdm(range(done, total), initial=done, total=total, desc="nano", unit="step",
                    mininterval=10)  # fmt: skip


def batch_loss(model: Trainee, batch: dict[str, Any]) -> Tensor:
    """The loss of a batch of `Crops`."""
    state = for_crops(dict(model.named_parameters()), batch["images"].shape[-1])
    arguments = (batch["images"].bfloat16(), batch["asked"], batch["again"])
    loss: Tensor = functional_call(model, state, arguments)
    return loss


def _improve(
    model: Trainee, tools: list[torch.optim.Optimizer], loss: Tensor, factor: float
) -> float:
    """One step of the optimisers at `factor` of their rates; the loss as a number."""
    value = float(loss.detach())
    if not math.isfinite(value):
        raise FloatingPointError(f"train_nano: the loss is no number, got {value}")
    torch.autograd.backward(loss)
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
    half = {name.removeprefix("sam."): value.half().contiguous() for name, value in state.items()}
    # frequencies are exact in float32, and a few hundred bytes
    for name in half:
        if "gaussian" in name or "pixel" in name:
            half[name] = state["sam." + name].contiguous()
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_suffix(".new")
    save_file(half, partial, metadata={"format": "pt", "model": "nano"})
    partial.chmod(0o644)
    partial.replace(out)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--cooldown", type=int, required=True)
    parser.add_argument("--rehearsal", type=int, default=1500)
    parser.add_argument("--items", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bank", type=Path, default=Path(".work/nano/bank"))
    parser.add_argument("--work", type=Path, default=Path(".work/nano"))
    parser.add_argument("--out", type=Path, default=Path("models/nano.safetensors"))
    parser.add_argument("--threads", type=int, default=1)
    arguments = vars(parser.parse_args())
    torch.set_num_threads(arguments.pop("threads"))
    train(**arguments)


if __name__ == "__main__":
    main()
