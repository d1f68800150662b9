"""Names out of any text."""

from __future__ import annotations

from samrs.core.names import LONGEST, clean_id, one_word, plain_text, safe_name


def test_letters_of_other_scripts_stay_distinct() -> None:
    assert clean_id("a b/ç#1.x-y_z") == "a_b_ue7_1.x-y_z"
    assert clean_id("飞机") != clean_id("船舶")


def test_long_names_end_in_a_digest_of_the_whole() -> None:
    names = ["船" * 60 + end for end in ("", "a", "b")]
    ids = [clean_id(name) for name in names]
    assert len(set(ids)) == 3
    assert all(len(i) == LONGEST for i in ids)
    assert clean_id("a" * LONGEST) == "a" * LONGEST


def test_file_names_begin_with_no_dot_and_are_not_empty() -> None:
    assert [safe_name(text) for text in ("", "..", ".a")] == ["_", "_", "_a"]


def test_class_names_are_one_line_or_one_word() -> None:
    assert plain_text("a\nb") == "a b"
    assert one_word("a \t b") == "a-b"
