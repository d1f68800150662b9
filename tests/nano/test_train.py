"""Training nano: crops and questions are right, runs repeat and resume, the decoder is SAM's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from samrs.core.errors import ParameterError, ProductError
from samrs.nano import crops as batches
from samrs.nano import items as bank
from samrs.nano import schedule
from samrs.nano.crops import normalised
from samrs.nano.items import draw_crop, draw_item, load_item
from samrs.nano.questions import KINDS, Questions, ask
from samrs.nano.rehearsal import Rehearsal
from samrs.nano.schedule import COURSES, Course, cycle_at, cycles_of
from samrs.nano.start import first_model, whitening_filters
from samrs.nano.train import train
from samrs.nano.trainee import Trainee, answer_loss, for_crops
from samrs.sam.nano import FRAME, TOKEN, build_nano
from samrs.scenes import render
from samrs.scenes.render import render_scene as drawn
from samrs.scenes.scene import Scene
from samrs.training.loop import fit


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bank")
    for index in range(2):
        load_item(folder, index)
    return folder


def questions(kind: str, size: int = 256, windows: tuple[int, ...] = (8,)) -> list[Questions]:
    """A small instance's question and a large one's, which fits into no window of 8 tokens."""
    masks = np.zeros((2, size, size), np.bool_)
    masks[0, 30:70, 40:90] = True
    masks[1, 110:250, 120:240] = True
    number = KINDS.index(kind)
    offset = np.array([3, 5])
    rng = np.random.default_rng(1)
    kinds = (number, number)
    return ask(rng, masks, place=0, offset=offset, kinds=kinds, whole=0.1, windows=windows)


def test_an_item_is_the_same_every_time(items: Path) -> None:
    for index in range(2):
        image, ids = draw_item(index)
        stored_image, stored_ids = load_item(items, index)
        assert np.array_equal(image, stored_image)
        assert np.array_equal(ids, stored_ids)
        assert ids.max() > 0


@pytest.mark.parametrize("size", bank.CELLS)
def test_a_crop_holds_whole_numbers_of_its_instances(items: Path, size: int) -> None:
    crops = [
        draw_crop(np.random.default_rng(4), items, bank=[0, 1], size=size, most=6) for _ in range(2)
    ]
    assert np.array_equal(crops[0].image, crops[1].image)
    assert crops[0].image.shape == (size, size, 3)
    assert 1 <= len(crops[0].masks) <= 6
    assert (crops[0].masks.sum((1, 2)) >= bank.FEWEST_PX).all()
    assert (crops[0].masks.sum(0) <= 1).all()


def test_a_mask_holds_what_stands_on_the_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Boats of a harbor, cars on a bridge, the pitch of a track field are theirs as well."""
    scenes: list[Scene] = []
    monkeypatch.setattr(
        render,
        "render_scene",
        lambda *given, **named: scenes.append(drawn(*given, **named)) or scenes[-1],
    )
    shared = 0
    for index in (3, 4):
        _, ids = draw_item(index)
        for number, thing in enumerate(scenes[-1].objects, start=1):
            whole = np.zeros(ids.shape[:2], bool)
            x0, y0, x1, y1 = thing.box
            whole[y0:y1, x0:x1] = thing.mask
            assert np.array_equal((ids == number).any(-1), whole)
            shared += (ids[..., 1] == number).any()
    assert shared >= 3


def test_a_shape_pasted_on_a_parent_belongs_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def paste(_: object, __: object, ids: bank.Ids, ___: int) -> None:
        ids[100:300, 100:300] = 999

    monkeypatch.setattr(bank, "paste_shapes", paste)
    _, ids = draw_item(85)  # a track field
    assert (ids[100:300, 100:300] == [999, 0]).all()
    assert ids[..., 1].any()


def test_a_crop_asks_for_parents_with_their_parts(tmp_path: Path) -> None:
    path = tmp_path / "000000.npy"
    packed = np.zeros((bank.ITEM, bank.ITEM, 5), np.int16)
    packed[..., 3] = 1
    packed[100:400, 100:400, 3:] = (2, 1)
    np.save(path, packed)
    found = set()
    for seed in range(20):
        crop = draw_crop(np.random.default_rng(seed), tmp_path, bank=[0], size=256, most=6)
        for mask in crop.masks:
            parent = (mask & (crop.ids == 1)).any()
            found.add(bool(parent))
            own = crop.ids > 0 if parent else crop.ids == 2
            assert np.array_equal(mask, own)
    assert found == {True, False}


def test_items_of_an_older_bank_are_drawn_again(tmp_path: Path) -> None:
    np.save(tmp_path / "000000.npy", np.zeros((bank.ITEM, bank.ITEM, 4), np.int16))
    image, ids = load_item(tmp_path, 0)
    assert np.array_equal(image, draw_item(0)[0])
    assert ids.shape == (bank.ITEM, bank.ITEM, 2)


def test_a_question_is_in_frame_pixels_and_its_target_in_its_window() -> None:
    asked = questions("box")[0]
    window = asked.corner[0] * TOKEN
    cells = asked.targets[0].nonzero()
    low, high = (
        cells.min(0).values.flip(0) * 4 + window,
        (cells.max(0).values.flip(0) + 1) * 4 + window,
    )
    shift = torch.tensor([3, 5]) * TOKEN
    assert asked.boxes is not None
    box = asked.boxes[0] - torch.cat([shift, shift])
    assert torch.allclose(box, torch.cat([low, high]).float(), atol=8)
    assert int(asked.targets[0].sum()) == 40 * 50


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_in_training_is_the_official_decoders(kind: str) -> None:
    torch.manual_seed(0)
    trainee = Trainee(build_nano())
    sam = trainee.sam
    part = questions(kind, FRAME, windows=())[1].take(KINDS.index(kind))
    assert part.targets.shape[-1] == FRAME // 4
    embedding = torch.randn(1, 128, 64, 64)
    points = None if part.points is None else (part.points, part.labels)
    sparse, dense = sam.prompt_encoder(points, part.boxes, part.masks)
    places = sam.prompt_encoder.get_dense_pe()
    with torch.no_grad():
        masks, scores = sam.mask_decoder.predict_masks(embedding, places, sparse, dense)
        count = (len(part), -1, -1, -1)
        mine, my_scores = trainee.answer(embedding.expand(count), places.expand(count), part)
    assert torch.allclose(mine, masks, atol=1e-4)
    assert torch.allclose(my_scores, scores, atol=1e-4)


def test_a_crop_uses_the_middle_of_the_global_relative_positions() -> None:
    state = dict(Trainee(build_nano()).named_parameters())
    name = next(n for n in state if "rel_pos_h" in n and len(state[n]) == 127)
    cut = for_crops(state, 256, torch.bfloat16)[name]
    assert len(cut) == 31
    assert torch.equal(cut, state[name][48:79].bfloat16())


def test_a_right_answer_costs_less_than_a_wrong_one() -> None:
    part = questions("box")[1].take(0)
    right = (part.targets[:, None].float() - 8).expand(-1, 4, -1, -1)
    scores = torch.ones(len(part), 4)
    assert (answer_loss(right, scores, part) < 0.5).all()
    assert (answer_loss(-right, scores, part) > 2).all()


def test_the_rate_rises_stays_and_falls_in_every_cycle() -> None:
    cycles = cycles_of(["1000+100", "200+400"])
    assert [(cycle.first, cycle.end) for cycle in cycles] == [(0, 1100), (1100, 1700)]
    steps = (0, 500, 999, 1050, 1099, 1100, 1200, 1300, 1500, 1699)
    rates = [cycle_at(cycles, step).rate_at(step) for step in steps]
    first = 1 / schedule.WARMUP
    assert rates == pytest.approx([first, 1, 1, 0.5, 0.01, first, 1, 1, 0.5, 1 / 400])


def test_crops_grow_toward_the_end_of_a_cycle_and_after_the_first() -> None:
    cycles = cycles_of(["1000+100", "200+400"])
    large = [1 - cycle_at(cycles, step).mix_at(step)[256] for step in (0, 1049, 1050, 1100, 1500)]
    assert large == pytest.approx([0.16, 0.16, 0.4, 0.4, 0.55])
    assert all(sum(course.mix.values()) == pytest.approx(1) for course in COURSES)
    assert all(sum(course.late.values()) == pytest.approx(1) for course in COURSES)


def test_a_cycle_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(
        ParameterError, match=r"cycle is not readable, got '3000'; .* as 3000\+1250"
    ):
        cycles_of(["3000"])


@pytest.fixture
def tiny(items: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a training of a crop a step needs."""
    monkeypatch.setattr(batches, "SIZES", {256: (1, 3)})
    monkeypatch.setattr(schedule, "COURSES", (Course({256: 1.0}, {256: 1.0}, whole=0.1, items=2),))
    return {"items": 2, "seed": 3, "bank": items, "workers": 0, "rehearsal": 2}


def trained(folder: Path, *cycles: str, **given: Any) -> dict[str, torch.Tensor]:
    train(cycles=cycles, work=folder / "work", out=folder / "nano.safetensors", **given)
    return load_file(folder / "nano.safetensors")


def equal(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_training_repeats_and_resumes(tmp_path: Path, tiny: dict[str, Any]) -> None:
    whole = trained(tmp_path / "whole", "3+0", **tiny)
    first = trained(tmp_path / "halves", "1+0", **tiny)
    halves = trained(tmp_path / "halves", "3+0", **tiny)
    assert equal(whole, halves)
    assert not equal(first, halves)
    assert equal(halves, trained(tmp_path / "halves", "3+0", **tiny))
    assert set(whole) == set(build_nano().state_dict())
    assert not list(tmp_path.rglob("*.new"))


def test_a_further_cycle_goes_on_from_the_cooled_weights(
    tmp_path: Path, tiny: dict[str, Any]
) -> None:
    """The rate of a step follows from its number, whatever was planned when it was kept."""
    whole = trained(tmp_path / "whole", "1+1", "1+1", **tiny)
    trained(tmp_path / "parts", "1+1", **tiny)
    assert equal(whole, trained(tmp_path / "parts", "1+1", "1+1", **tiny))


def test_another_seed_or_rehearsal_does_not_go_on(tmp_path: Path, tiny: dict[str, Any]) -> None:
    trained(tmp_path, "1+0", **tiny)
    for change in ({"seed": 4}, {"rehearsal": 0}):
        alone = trained(tmp_path / "alone", "1+0", **{**tiny, **change})
        assert equal(alone, trained(tmp_path, "1+0", **{**tiny, **change}))


def test_a_rehearsal_that_was_stopped_draws_the_noise_it_would_have(tmp_path: Path) -> None:
    runtime = {"device": "cpu", "threads": 1, "workers": 0}

    def rehearsed(name: str, *, stop: bool = False) -> Rehearsal:
        task = Rehearsal(first_model(3), steps=3, seed=3)
        task.steps = 2 if stop else 3
        fit(task, tmp_path / name, every=1, desc="boxes", runtime=runtime)
        return task

    whole = rehearsed("whole")
    rehearsed("parts", stop=True)
    parts = rehearsed("parts")
    assert parts.losses == whole.losses
    assert equal(whole.state_dict(), parts.state_dict())
    assert whole.losses[-1] != whole.losses[0]


def test_two_processes_take_one_run(tmp_path: Path, items: Path) -> None:
    """The training command itself, in its own processes: they agree, and keep what they learned."""
    command = [
        sys.executable, "-m", "samrs", "nano", "train", "--processes", "2", "--rehearsal", "1",
        "--cycles", "1+0", "--cycles", "1+1", "--items", "2", "--bank", items, "--work", tmp_path,
        "--out", tmp_path / "nano.safetensors",
    ]  # fmt: skip
    done = subprocess.run(
        [str(part) for part in command], check=True, timeout=300, stderr=subprocess.PIPE, text=True
    )
    assert "nano: 3 steps done" in done.stderr, "long work tells how far it is"
    written = load_file(tmp_path / "nano.safetensors")
    assert set(written) == set(build_nano().state_dict())
    (work,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert sorted(p.name for p in work.iterdir()) == ["rehearsal", "step=0000003.ckpt"]


def test_the_first_layer_starts_white() -> None:
    weight, bias = whitening_filters(0)
    image, _ = draw_item(1)
    pixels = torch.from_numpy(normalised(image, image.shape[:2]))
    seen = torch.nn.functional.conv2d(pixels[None], weight, bias, stride=TOKEN)[0].flatten(1)
    spread = seen.std(1)
    assert weight.shape == (192, 3, TOKEN, TOKEN)
    assert spread.min() > 0.1
    assert spread.max() < 10


def test_a_cycle_knows_its_course() -> None:
    cycles = cycles_of(["1000+100", "200+400", "10+10", "10+10", "10+10"])
    assert [COURSES.index(cycle.course) for cycle in cycles] == [0, 1, 2, 3, 3]
    assert [COURSES.index(cycle.course) for cycle in cycles_of(["10+10"], before=3)] == [3]


def test_a_training_goes_on_from_weights(tmp_path: Path, tiny: dict[str, Any]) -> None:
    """One step of a warm-up leaves them nearly as they were, which are not those of its seed."""
    trained(tmp_path / "first", "1+0", **{**tiny, "seed": 7})
    start = tmp_path / "first" / "nano.safetensors"
    before, own = load_file(start), first_model(tiny["seed"]).sam.state_dict()
    after = trained(tmp_path / "second", "1+0", start=start, **tiny)
    assert not equal(before, after)
    for name, value in before.items():
        assert torch.allclose(value.float(), after[name].float(), atol=0.02), name
    assert not all(torch.allclose(own[n].float(), after[n].float(), atol=0.02) for n in after)


def test_a_file_that_is_not_nanos_is_refused(tmp_path: Path, tiny: dict[str, Any]) -> None:
    other = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(1)}, other)
    with pytest.raises(ProductError, match="does not hold nano's weights, got"):
        trained(tmp_path, "1+0", start=other, **tiny)


def test_items_of_large_things_are_large() -> None:
    """A track field or bridge takes a good part of them; shapes are 48 px or longer."""
    sides = []
    for index in range(bank.FIRST_LARGE, bank.FIRST_LARGE + len(bank.LARGE)):
        _, ids = draw_item(index)
        areas = np.bincount(ids.ravel())[1:]
        sides.append(areas.max() ** 0.5)
    assert min(sides) > 32
    assert max(sides) > 100
