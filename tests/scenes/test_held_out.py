"""Scenes that are held out show nothing that no training scene shows."""

from hypothesis import given
from hypothesis import strategies as st

from samrs.scenes.held_out import HeldOut


def test_a_scene_of_known_classes_is_held_out_when_its_turn_has_come() -> None:
    held_out = HeldOut(every=3)
    shown = ["ab", "ab", "a", "b", "ab", "ba"]
    assert [held_out.takes(each) for each in shown] == [False, False, True, False, False, True]


def test_a_scene_with_a_new_class_is_for_training_and_the_next_takes_its_place() -> None:
    held_out = HeldOut(every=2)
    shown = ["a", "b", "c", "ab", "c", "a", "a"]
    assert [held_out.takes(each) for each in shown] == [False] * 3 + [True, True, True, False]


def test_an_empty_scene_is_for_training() -> None:
    held_out = HeldOut(every=1)
    assert [held_out.takes(each) for each in ["", "a", "", "a"]] == [False, False, False, True]


@given(st.lists(st.sets(st.sampled_from("abcd"))), st.integers(1, 5))
def test_every_held_out_class_stands_in_a_training_scene(shown: list[set[str]], every: int) -> None:
    held_out = HeldOut(every=every)
    held = [held_out.takes(each) for each in shown]
    parts = {
        side: set().union(*(c for c, h in zip(shown, held, strict=True) if h is side))
        for side in (True, False)
    }
    assert parts[True] <= parts[False]
    assert sum(held) <= len(shown) // every
