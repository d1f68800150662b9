from __future__ import annotations

import io
import logging
import sys
import time

import pytest

from samrs.fetch import meter as transfer_meter
from samrs.fetch.meter import TransferMeter

MIB = 2**20


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_one_bar_for_all_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with TransferMeter("fetch dota", {"a": 3 * MIB, "b": None}) as meter:
        meter.came("b", MIB, MIB, MIB)
        meter.finish()
        meter.came("a", MIB, MIB, 3 * MIB)
    last = terminal.getvalue().split("\r")[-1]
    assert "fetch dota:  50%" in last
    assert "2.00M/4.00M" in last
    assert "B/s" in last
    assert "1 of 2 files" in last


def test_bytes_of_an_earlier_run_count_as_done_but_not_into_the_rate(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "samrs")
    monkeypatch.setattr(transfer_meter, "LOG_SECONDS", 0.0)
    with TransferMeter("fetch dota", {"a": None}) as meter:
        meter.came("a", 0, 900 * MIB, 1000 * MIB)
        time.sleep(0.05)
        meter.came("a", MIB, 901 * MIB, 1000 * MIB)
    lines = [record.getMessage() for record in caplog.records]
    shown = [line for line in lines if "901MB of 0.98GB" in line]
    assert shown
    assert not any("GB/s" in line for line in shown), shown
    assert lines[-1].startswith("fetch dota: 0 of 1 files, 1.00MB in 0 s")


def test_a_file_begun_anew_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with TransferMeter("fetch", {"a": 4 * MIB}) as meter:
        meter.came("a", 3 * MIB, 3 * MIB, 4 * MIB)
        meter.came("a", 0, 0, 4 * MIB)
        meter.came("a", MIB, MIB, 4 * MIB)
    assert "25%" in terminal.getvalue().split("\r")[-1]
