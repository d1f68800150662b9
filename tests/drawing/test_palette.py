from __future__ import annotations

from samrs.drawing.palette import SAMRS, bright, colour, palette, to_hex


def test_palette_is_the_one_of_the_samrs_release():
    assert len(SAMRS) == 37
    assert colour(0) == (0, 127, 255)
    assert colour(20) == (255, 127, 0)
    assert colour(36) == (0, 191, 64)
    assert colour(255) == (255, 255, 255)


def test_every_label_has_a_colour_of_its_own():
    assert len({*palette(255), colour(255)}) == 256


def test_bright_keeps_the_hue_and_is_light():
    assert bright((0, 63, 0)) == (102, 255, 102)


def test_hex_is_what_css_reads():
    assert to_hex((0, 127, 255)) == "#007fff"
