"""Progress where there is no terminal: a line now and then."""

from __future__ import annotations

import logging
import multiprocessing
import re
import time
from collections.abc import Iterator

import pytest

from samrs.core import progress


def slowly(count: int) -> Iterator[int]:
    for number in range(count):
        time.sleep(0.02)
        yield number


def lines(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, total: int | None
) -> list[str]:
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.01)
    caplog.set_level(logging.INFO, logger="samrs")
    shown = progress.progress(
        slowly(3), desc="label", unit="tile", total=total, note=lambda: "9.0 masks/s"
    )
    assert list(shown) == [0, 1, 2]
    return caplog.messages


def test_a_line_says_how_far_how_fast_and_how_long_still(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = re.fullmatch(
        r"label: 1/1001 tiles, (\d+\.\d\d) tiles/s, ETA (\d\d):(\d\d), 9\.0 masks/s",
        lines(caplog, monkeypatch, 1001)[0],
    )
    assert found is not None
    rate, minutes, seconds = (float(part) for part in found.groups())
    assert 1 < rate <= 50
    assert 60 * minutes + seconds == pytest.approx(1000 / rate, rel=0.02, abs=1)


def test_of_an_unknown_number_nobody_knows_how_long(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = lines(caplog, monkeypatch, None)
    assert said[0].startswith("label: 1/? tiles, ")
    assert "ETA" not in said[0]
    assert said[-1].startswith("label: 3 tiles done, ")


def test_what_is_left_goes_by_the_sizes_of_items(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.01)
    caplog.set_level(logging.INFO, logger="samrs")
    sizes = [0, 90, 10]
    shown = progress.progress(
        slowly(3), desc="label", unit="mask", total=100, size=lambda item: sizes[item]
    )
    assert list(shown) == [0, 1, 2]
    assert [line.split(",")[0] for line in caplog.messages] == [
        "label: 0/100 masks",
        "label: 90/100 masks",
        "label: 100/100 masks",
        "label: 100 masks done",
    ]
    assert "ETA" not in caplog.messages[0]
    assert "ETA 00:00" in caplog.messages[1]


def _told_of_five(level: int) -> None:
    progress.tell(level)
    assert list(progress.progress(range(5), desc="far", unit="step")) == list(range(5))


@pytest.mark.parametrize(("level", "lines"), [(logging.INFO, 1), (logging.WARNING, 0)])
def test_a_new_process_tells_as_its_parent(
    level: int, lines: int, capfd: pytest.CaptureFixture[str]
) -> None:
    one = multiprocessing.get_context("spawn").Process(target=_told_of_five, args=(level,))
    one.start()
    one.join(60)
    assert one.exitcode == 0
    assert capfd.readouterr().err.count("far: 5 steps done") == lines


def test_the_level_told_is_that_of_this_process(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="samrs")
    assert progress.told() == logging.ERROR
