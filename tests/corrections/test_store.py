"""The store: on the disk when told, nobody overwritten, taken back by undo, whole after a kill."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from samrs.core.errors import AnnotationError
from samrs.corrections.read import read_corrections
from samrs.corrections.records import Added, Clicks, Drawn, Record, Verdict
from samrs.corrections.store import Edit, StaleError, Store
from tests.corrections.records import anchor, every_kind, mask, verdict


def put(store: Store, after: Record, before: Record | None = None) -> None:
    store.apply([Edit(before, after)])


def test_what_is_put_is_on_the_disk(tmp_path: Path) -> None:
    store = Store(tmp_path / "new" / "folder")
    for number, record in enumerate(every_kind(), start=1):
        put(store, record)
        assert len(read_corrections(store.folder)) == number
    assert store.read().records.keys() == {record.key for record in every_kind()}


def test_two_windows_do_not_overwrite_each_other(tmp_path: Path) -> None:
    one, other = Store(tmp_path), Store(tmp_path)
    put(one, verdict())
    put(other, verdict("a#1"))  # of another instance: both stand
    with pytest.raises(StaleError, match="changed by somebody else, got a record") as told:
        put(other, verdict(said="accept"))
    assert told.value.current == verdict()
    put(other, verdict(said="accept"), before=verdict())
    with pytest.raises(StaleError, match="another record"):
        one.apply([Edit(verdict(), None)])
    found = read_corrections(tmp_path).of(Verdict)
    assert [r.verdict for r in found] == ["accept", "reject"]


def test_what_was_read_is_seen_whatever_it_was_rounded_to(tmp_path: Path) -> None:
    store = Store(tmp_path)
    given = Clicks(anchor=anchor(), positive=((1.23456, 2.0),))
    put(store, given)
    put(store, replace(given, positive=((1.5, 2.0),)), before=given)
    assert store.read().of(Clicks)[0].positive == ((1.5, 2.0),)


def test_a_change_is_taken_back_by_its_edits_undone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    clicks = Clicks(anchor=anchor(), positive=((3.0, 2.0),))
    put(store, clicks)
    edits = [Edit(None, Drawn(anchor=anchor(), rle=mask())), Edit(clicks, None)]
    store.apply(edits)
    assert [r.FILE for r in store.read().records.values()] == [Drawn.FILE]
    store.apply([edit.undone() for edit in edits])
    assert list(store.read().records.values()) == [clicks]


def test_what_others_changed_since_is_not_taken_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, verdict())
    put(Store(tmp_path), verdict(said="accept"), before=verdict())
    with pytest.raises(StaleError):
        store.apply([Edit(verdict(), None)])
    assert store.read().of(Verdict)[0].verdict == "accept"


def test_a_file_that_is_gone_holds_nothing_any_more(tmp_path: Path) -> None:
    """Git removes a file where another branch has none."""
    store = Store(tmp_path)
    put(store, verdict())
    put(store, Drawn(anchor=anchor(), rle=mask()))
    (tmp_path / Verdict.FILE).unlink()
    assert [r.FILE for r in store.read().records.values()] == [Drawn.FILE]
    with pytest.raises(StaleError, match="got none of 'a#0'"):
        put(store, verdict(said="accept"), before=verdict())
    put(store, verdict("a#1"))
    found = read_corrections(tmp_path).of(Verdict)
    assert [r.anchor.instance_id for r in found] == ["a#1"]


def test_what_would_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    store = Store(tmp_path, ("ship",))
    put(store, verdict())
    before = (tmp_path / Verdict.FILE).read_bytes()
    with pytest.raises(AnnotationError, match="unknown class"):
        put(store, Added(anchor=anchor("a#new-1"), category="sip"))
    with pytest.raises(AnnotationError, match="no such text"):
        put(store, replace(verdict("a#1"), reason="two\nlines"))
    assert (tmp_path / Verdict.FILE).read_bytes() == before
    assert len(store.read()) == 1


def _put_many(folder: Path, name: str) -> None:
    store = Store(folder)
    for number in range(25):
        put(store, verdict(f"{name}#{number}"))


def test_windows_of_several_processes_lose_nothing(tmp_path: Path) -> None:
    processes = [
        multiprocessing.get_context("spawn").Process(target=_put_many, args=(tmp_path, name))
        for name in "ab"
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(read_corrections(tmp_path)) == 50


WRITER = """
import sys
from pathlib import Path
from samrs.corrections.store import Edit, Store
from tests.corrections.records import verdict
store = Store(Path(sys.argv[1]))
for number in range(10_000):
    store.apply([Edit(None, verdict(f"a#{number}"))])
    print(number, flush=True)
"""


def test_a_killed_writer_leaves_all_that_it_told_of(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(20)]
        time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        told += process.stdout.readlines()
    found = len(Store(tmp_path).read())
    assert found >= len([line for line in told if line.endswith("\n")]) >= 20
    assert not list(tmp_path.glob("*.part"))
