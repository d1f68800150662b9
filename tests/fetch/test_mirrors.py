"""Fetching from servers that fail in every way they know."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from samrs.core.errors import ParameterError, SourceError
from samrs.fetch import http, mirrors
from samrs.fetch import meter as transfer_meter
from samrs.fetch.mirrors import MIRRORS, TRIES, addresses, fetch_all
from samrs.fetch.partial_file import FOLDER, fetching, part_of
from samrs.fetch.source import Source, hugging_face
from tests.pipeline.closure import ROOT

BODY = bytes((i * i * 2654435761 >> 13) & 255 for i in range(20_000))
SHA = "sha256:" + hashlib.sha256(BODY).hexdigest()
MD5 = "md5:" + hashlib.md5(BODY, usedforsecurity=False).hexdigest()


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of nothing, and few bytes are a gain."""
    for name, value in {"GAIN": 1000, "BACKOFF": 0.001, "LONGEST": 0.01}.items():
        monkeypatch.setattr(mirrors, name, value)


@pytest.fixture
def stalled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second is a stall."""
    monkeypatch.setattr(http, "STALL", 0.5)
    monkeypatch.setattr(http, "SLOWEST", 1e6)


def source(
    *urls: str, checksum: str = SHA, size: int | None = None, file: str = "images.bin"
) -> Source:
    return Source(file, urls, checksum, "", "https://example.org/page", size)


def get(wanted: Source, folder: Path) -> Path:
    fetch_all([wanted], folder, terms="free", parallel=1)
    return folder / wanted.file


def left_over(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


def put_part(folder: Path, wanted: Source, data: bytes) -> Path:
    (folder / FOLDER).mkdir(parents=True)
    place = part_of(wanted, folder / FOLDER)
    place.write_bytes(data)
    return place


@pytest.mark.parametrize("checksum", [SHA, MD5])
@pytest.mark.parametrize("size", [len(BODY), None])
def test_a_good_file_is_fetched_and_nothing_else_stays(
    server: Any, tmp_path: Path, checksum: str, size: int | None
) -> None:
    server.files["good"] = BODY
    path = get(source(server.url("good"), checksum=checksum, size=size), tmp_path)
    assert path == tmp_path / "images.bin"
    assert path.read_bytes() == BODY
    assert left_over(tmp_path) == ["images.bin"]


def test_a_file_of_a_folder_goes_into_that_folder(server: Any, tmp_path: Path) -> None:
    server.files["good"] = BODY
    path = get(source(server.url("good"), file="train/images.bin"), tmp_path)
    assert path == tmp_path / "train" / "images.bin"
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("fault", ["cut", "reset", "stall"])
def test_a_transfer_that_breaks_goes_on_where_it_broke(
    server: Any, tmp_path: Path, fault: str, request: pytest.FixtureRequest
) -> None:
    if fault == "stall":
        request.getfixturevalue("stalled")
    server.files["file"] = BODY
    server.faults["file"] = [fault, fault]
    assert get(source(server.url("file")), tmp_path).read_bytes() == BODY
    had = [int(r.removeprefix("bytes=").removesuffix("-")) for r in server.ranges if r]
    assert had, server.ranges
    assert had == sorted(had)
    if fault == "cut":
        assert had == [len(BODY) // 2, len(BODY) * 3 // 4]
    assert left_over(tmp_path) == ["images.bin"]


@pytest.mark.parametrize("fault", [500, 502, 503, 504, 429, 408])
def test_a_server_that_is_busy_is_asked_again(server: Any, tmp_path: Path, fault: int) -> None:
    server.files["file"] = BODY
    server.faults["file"] = [fault, fault]
    assert get(source(server.url("file")), tmp_path).read_bytes() == BODY
    assert len(server.asked) == 3


@pytest.mark.parametrize("fault", [401, 403, 404, 410, 204])
def test_a_server_that_refuses_is_asked_once(server: Any, tmp_path: Path, fault: int) -> None:
    server.files["file"] = BODY
    server.always["file"] = fault
    with pytest.raises(SourceError, match=f"answers {fault}"):
        get(source(server.url("file")), tmp_path)
    assert len(server.asked) == 1


def test_pauses_grow_and_a_server_may_ask_for_more(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    class Impatient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.extend([] if timeout is None else [timeout])
            clock[0] += timeout or 0
            return super().wait(None if timeout is None else 0)

    clock = [1000.0]
    monkeypatch.setattr(mirrors.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(threading, "Event", Impatient)
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    for name, value in {"TRIES": 5, "BACKOFF": 1.0, "LONGEST": 10.0}.items():
        monkeypatch.setattr(mirrors, name, value)
    server.files["file"] = BODY
    server.always["file"] = 503
    server.retry_after = "7"
    with pytest.raises(SourceError, match="answers 503"):
        get(source(server.url("file")), tmp_path)
    assert [p for p in pauses if p >= 1] == [7.0, 7.0, 8.0, 10.0]
    assert len(server.asked) == 5


@pytest.mark.parametrize(
    "asked",
    ["soon", "-5", "1e400", "nan", "9" * 5000, "Fri, 31 Dec 9999 23:59:59 GMT", "\u0663", ""],
)
def test_odd_pauses_are_bounded(server: Any, tmp_path: Path, asked: str) -> None:
    server.files["file"] = BODY
    server.faults["file"] = [503]
    server.retry_after = asked
    assert get(source(server.url("file")), tmp_path).read_bytes() == BODY


@pytest.mark.parametrize(
    "place",
    [
        "file:///etc/hostname",
        "gopher://localhost/x",
        "http://[",
        "http://\xff\xfe/",
        "http://a:b/",
        "",
    ],
)
def test_an_odd_redirect_is_the_mirrors_fault_alone(
    server: Any, tmp_path: Path, place: str
) -> None:
    server.files["good"] = BODY
    server.elsewhere["odd"] = place
    wanted = source(server.url("odd"), server.url("good"))
    assert get(wanted, tmp_path).read_bytes() == BODY
    assert server.asked[-1] == "good"


def test_redirects_in_a_circle_end(server: Any, tmp_path: Path) -> None:
    server.files["good"] = BODY
    server.moved |= {"a": "b", "b": "a"}
    assert get(source(server.url("a"), server.url("good")), tmp_path).read_bytes() == BODY
    assert len(server.asked) < 40


def test_tries_are_counted_anew_while_bytes_come(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["file"] = BODY
    server.faults["file"] = ["cut", 503, 503, "cut", 503, 503, "cut", 503, 503]
    monkeypatch.setattr(mirrors, "TRIES", 3)
    assert get(source(server.url("file")), tmp_path).read_bytes() == BODY


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("cut", "ends after|IncompleteRead"),
        ("reset", "ends after|IncompleteRead|reset"),
        ("stall", "timed out|Timeout"),
        ("trickle", "sent .* bytes in|timed out"),
        ("wrong", "wrong file, sha256:"),
        ("short", "wrong file, sha256:"),
        ("gzip", "packed as gzip"),
        ("long file", "wrong file, sha256:"),
        ("chunked", "does not say how long the file is"),
        ("endless", "does not say how long the file is"),
        (503, "answers 503"),
    ],
)
def test_a_server_that_never_gets_better_ends_in_an_error_and_no_file(
    server: Any, tmp_path: Path, fault: Any, what: str, request: pytest.FixtureRequest
) -> None:
    server.files["file"] = BODY
    server.always["file"] = fault
    server.no_ranges.add("file")
    if fault in ("stall", "trickle"):
        request.getfixturevalue("stalled")
    with pytest.raises(SourceError, match=what):
        get(source(server.url("file")), tmp_path)
    assert not (tmp_path / "images.bin").exists()
    assert len(server.asked) <= 2 * TRIES


def test_a_length_that_is_too_long_is_found_out_by_asking_for_the_rest(
    server: Any, tmp_path: Path
) -> None:
    server.files["file"] = BODY
    server.always["file"] = "long"
    assert get(source(server.url("file")), tmp_path).read_bytes() == BODY
    assert server.ranges == [None, f"bytes={len(BODY)}-"]


@pytest.mark.parametrize("fault", ["long file", "short", "long"])
def test_another_size_than_the_publishers_is_refused_before_its_body(
    server: Any, tmp_path: Path, fault: str
) -> None:
    server.files["file"] = BODY
    server.always["file"] = fault
    with pytest.raises(SourceError, match="offers a file of"):
        get(source(server.url("file"), size=len(BODY)), tmp_path)
    assert left_over(tmp_path) == []


def test_more_than_the_publishers_size_is_cut_off(server: Any, tmp_path: Path) -> None:
    server.files["file"] = BODY * 3
    server.always["file"] = "endless"
    with pytest.raises(SourceError, match=f"sends more than {len(BODY)} bytes"):
        get(source(server.url("file"), size=len(BODY)), tmp_path)


def test_a_part_of_another_range_is_begun_anew(server: Any, tmp_path: Path) -> None:
    server.files["file"] = BODY
    server.faults["file"] = ["cut", "other range"]
    assert get(source(server.url("file")), tmp_path).read_bytes() == BODY
    assert server.ranges == [None, f"bytes={len(BODY) // 2}-", None]


def test_a_server_without_ranges_sends_all_again(server: Any, tmp_path: Path) -> None:
    server.files["file"] = BODY
    server.faults["file"] = ["cut"]
    server.no_ranges.add("file")
    assert get(source(server.url("file")), tmp_path).read_bytes() == BODY
    assert len(server.asked) == 2


def test_a_server_that_sends_on_to_another_is_resumed_there(server: Any, tmp_path: Path) -> None:
    server.files["store"] = BODY
    server.moved["link"] = "store"
    server.faults["store"] = ["cut"]
    assert get(source(server.url("link")), tmp_path).read_bytes() == BODY
    assert server.asked == ["link", "store"] * 2
    assert server.ranges[-1] == f"bytes={len(BODY) // 2}-"


@pytest.mark.parametrize("fault", ["chunked", "chunked cut", "endless", "no number"])
def test_a_body_without_a_length_is_read_to_the_publishers_size(
    server: Any, tmp_path: Path, fault: str
) -> None:
    server.files["file"] = BODY
    server.always["file"] = fault
    assert get(source(server.url("file"), size=len(BODY)), tmp_path).read_bytes() == BODY
    assert server.asked == ["file"]


def test_an_address_without_a_checksum_is_refused() -> None:
    with pytest.raises(ValueError, match="an address without a checksum"):
        Source("a", ("https://example.org/a",), None, "", "page")


@pytest.mark.parametrize(
    ("fault", "size"),
    [
        *((fault, len(BODY)) for fault in ("infinite", "infinite chunks", "huge")),
        *((fault, None) for fault in ("infinite", "infinite chunks", "huge", "no number")),
    ],
)
def test_after_a_mirror_that_lies_or_never_ends_the_next_is_asked(
    server: Any, tmp_path: Path, fault: str, size: int | None
) -> None:
    server.files |= {"bad": BODY, "good": BODY}
    server.always["bad"] = fault
    wanted = source(server.url("bad"), server.url("good"), size=size)
    assert get(wanted, tmp_path).read_bytes() == BODY
    assert server.asked == ["bad", "good"]
    assert server.sent["bad"] < len(BODY) + 2**24, "more than the network's buffers took"


def test_after_a_mirror_that_does_not_answer_the_next_is_asked(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its header comes byte by byte, which no socket's timeout ends."""
    monkeypatch.setattr(http, "ANSWER", 0.5)
    server.files |= {"slow": BODY, "good": BODY}
    server.always["slow"] = "slow header"
    wanted = source(server.url("slow"), server.url("good"))
    begin = time.monotonic()
    assert get(wanted, tmp_path).read_bytes() == BODY
    assert time.monotonic() - begin < 20


def test_mirrors_are_tried_in_order(server: Any, tmp_path: Path) -> None:
    server.files |= {"wrong": b"x" * len(BODY), "good": BODY, "unused": BODY}
    urls = [server.url(name) for name in ("absent", "wrong", "good", "unused")]
    assert get(source(*urls, size=len(BODY)), tmp_path).read_bytes() == BODY
    assert server.asked == ["absent", "wrong", "good"]


def test_a_mirror_goes_on_where_another_broke(server: Any, tmp_path: Path) -> None:
    server.files |= {"a": BODY, "b": BODY}
    server.always["a"] = "cut"
    assert get(source(server.url("a"), server.url("b")), tmp_path).read_bytes() == BODY
    assert server.asked == ["a", "b"]
    assert server.ranges == [None, f"bytes={len(BODY) // 2}-"]


def test_a_file_pieced_together_from_unlike_mirrors_is_fetched_anew(
    server: Any, tmp_path: Path
) -> None:
    server.files |= {"old": BODY[::-1], "good": BODY}
    server.always["old"] = "cut"
    wanted = source(server.url("old"), server.url("good"))
    assert get(wanted, tmp_path).read_bytes() == BODY


def test_the_users_mirrors_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MIRRORS, "https://a.org/=http://near/  https://b.org/=http://far/")
    both = source("https://a.org/x?y=1", "https://c.org/x")
    assert addresses(both) == ("http://near/x?y=1", "https://a.org/x?y=1", "https://c.org/x")
    pinned = source(*hugging_face("me/set", "0" * 40, "a.zip"))
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example.org/")
    path = f"datasets/me/set/resolve/{'0' * 40}/a.zip"
    assert addresses(pinned) == (f"https://hub.example.org/{path}", f"https://hf.co/{path}")
    monkeypatch.delenv("HF_ENDPOINT")
    monkeypatch.setenv(MIRRORS, "near")
    with pytest.raises(ParameterError, match="SAMRS_MIRRORS: not a mirror, got 'near'"):
        addresses(both)


def test_no_network_says_file_address_checksum_terms_and_place_in_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirrors, "BACKOFF", 1.0)
    monkeypatch.setattr(mirrors, "LONGEST", 120.0)
    begin = time.monotonic()
    address = "http://127.0.0.1:9/images.bin"
    with pytest.raises(SourceError) as error:
        get(source(address), tmp_path)
    for part in ("images.bin", address, SHA, "free", f"put that file at {tmp_path / 'images.bin'}"):
        assert part in str(error.value)
    assert time.monotonic() - begin < 15
    assert left_over(tmp_path) == []


def test_an_address_that_is_none_is_not_tried_twice(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="InvalidSchema"):
        get(source("gopher://example.org/x"), tmp_path)


def test_a_full_disk_is_no_fault_of_the_mirror(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files |= {"a": BODY, "b": BODY}
    monkeypatch.setattr(http.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10})())
    both = (server.url("a"), server.url("b"))
    with pytest.raises(SourceError, match=r"cannot be written, got .* 10 are free"):
        get(source(*both, size=len(BODY)), tmp_path)
    assert server.asked == ["a"]
    with pytest.raises(SourceError, match=r"cannot be fetched, got .* 10 are free"):
        get(source(*both), tmp_path)
    assert server.asked == ["a", "a", "b"], "another mirror may offer less"


def test_a_part_of_an_earlier_run_is_continued(server: Any, tmp_path: Path) -> None:
    server.files["file"] = BODY
    wanted = source(server.url("file"))
    put_part(tmp_path, wanted, BODY[:7000])
    assert get(wanted, tmp_path).read_bytes() == BODY
    assert server.ranges == ["bytes=7000-"]


@pytest.mark.parametrize("size", [len(BODY), None])
def test_a_part_that_is_whole_is_checked_and_taken(
    server: Any, tmp_path: Path, size: int | None
) -> None:
    server.files["file"] = BODY
    wanted = source(server.url("file"), size=size)
    put_part(tmp_path, wanted, BODY)
    assert get(wanted, tmp_path).read_bytes() == BODY
    assert server.asked == ([] if size else ["file"])


@pytest.mark.parametrize("part", [BODY[:5000][::-1], BODY[::-1], BODY + b"more"])
def test_a_damaged_part_is_found_and_fetched_anew(server: Any, tmp_path: Path, part: bytes) -> None:
    server.files["file"] = BODY
    wanted = source(server.url("file"), size=len(BODY))
    put_part(tmp_path, wanted, part)
    assert get(wanted, tmp_path).read_bytes() == BODY
    assert server.ranges[-1] is None


def test_a_part_of_another_revision_is_not_continued(server: Any, tmp_path: Path) -> None:
    old = source(checksum="md5:" + "0" * 32)
    put_part(tmp_path, old, BODY[:9000])
    server.files["file"] = BODY
    assert get(source(server.url("file")), tmp_path).read_bytes() == BODY
    assert server.ranges == [None]
    assert left_over(tmp_path) == ["images.bin"]


def test_files_whose_names_begin_alike_do_not_disturb_each_other(tmp_path: Path) -> None:
    long = put_part(tmp_path, source(file="a.tar.gz"), b"1")
    part_of(source(file="a.tar"), tmp_path / FOLDER)
    assert long.exists()


def test_a_process_killed_half_way_is_resumed_by_the_next(server: Any, tmp_path: Path) -> None:
    server.files["file"] = BODY
    server.faults["file"] = ["stall"]
    wanted = source(server.url("file"))
    code = (
        "from pathlib import Path; from samrs.fetch.mirrors import fetch_all; "
        "from samrs.fetch.source import Source; "
        f"fetch_all([{wanted!r}], Path({str(tmp_path)!r}), terms='free', parallel=1)"
    )
    place = tmp_path / FOLDER / f"images.bin.{SHA[7:23]}"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    try:
        end = time.monotonic() + 120
        while not place.exists() or place.stat().st_size < len(BODY) // 2:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert not (tmp_path / "images.bin").exists()
    assert place.stat().st_size == len(BODY) // 2
    assert get(wanted, tmp_path).read_bytes() == BODY
    assert server.ranges == [None, f"bytes={len(BODY) // 2}-"]


def test_two_that_want_the_same_file_fetch_it_once(server: Any, tmp_path: Path) -> None:
    server.files["file"] = BODY
    wanted = source(server.url("file"))
    with fetching(tmp_path):
        other = threading.Thread(target=get, args=(wanted, tmp_path))
        other.start()
        other.join(0.3)
        assert other.is_alive()
        (tmp_path / "images.bin").write_bytes(BODY)
    other.join(30)
    assert not other.is_alive()
    assert server.asked == []
    assert left_over(tmp_path) == ["images.bin"]
    assert not (tmp_path / FOLDER).exists()


def test_many_take_their_turn_although_each_removes_the_folder(tmp_path: Path) -> None:
    inside = 0

    def enter(_: int) -> int:
        nonlocal inside
        most = 0
        for _ in range(20):
            with fetching(tmp_path) as parts:
                inside += 1
                most = max(most, inside)
                (parts / "part").touch()
                (parts / "part").unlink()
                inside -= 1
        return most

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(enter, range(8))) == {1}
    assert not (tmp_path / FOLDER).exists()


@pytest.mark.parametrize("planted", ["link", "dangling link", "hard link", "pipe", "folder"])
def test_what_is_planted_for_a_part_is_not_written_to(
    server: Any, tmp_path: Path, planted: str
) -> None:
    server.files["file"] = BODY
    wanted = source(server.url("file"))
    inbox, victim = tmp_path / "inbox", tmp_path / "victim"
    victim.write_bytes(b"precious")
    place = put_part(inbox, wanted, b"")
    place.unlink()
    if planted == "link":
        place.symlink_to(victim)
    elif planted == "dangling link":
        place.symlink_to(tmp_path / "new")
    elif planted == "hard link":
        place.hardlink_to(victim)
    elif planted == "pipe":
        os.mkfifo(place)
    else:
        place.parent.rmdir()
        place.parent.symlink_to(tmp_path)
    assert get(wanted, inbox).read_bytes() == BODY
    assert victim.read_bytes() == b"precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["inbox", "victim"]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "inbox").write_text("a file")
    with pytest.raises(SourceError, match="inbox: cannot be written, got "):
        get(source("http://127.0.0.1:9/file"), tmp_path / "inbox")


@pytest.mark.usefixtures("stalled")
def test_files_are_fetched_at_the_same_time(server: Any, tmp_path: Path) -> None:
    server.files |= {"slow": BODY, "quick": BODY}
    server.faults["slow"] = ["stall"]
    slow = source(server.url("slow"), file="slow")
    quick = source(server.url("quick"), file="quick")
    fetch_all([slow, quick], tmp_path, terms="free", parallel=2)
    assert server.asked == ["slow", "quick", "slow"] or server.asked == ["quick", "slow", "slow"]
    assert left_over(tmp_path) == ["quick", "slow"]


def test_what_can_be_had_is_fetched_and_one_error_names_what_cannot(
    server: Any, tmp_path: Path
) -> None:
    server.files["good"] = BODY
    wanted = [source(server.url(name), file=name) for name in ("gone", "good", "lost")]
    with pytest.raises(SourceError, match=r"files cannot be had, got 2 of 3 .*gone.*; and .*lost"):
        fetch_all(wanted, tmp_path, terms="free", parallel=2)
    assert left_over(tmp_path) == ["good"]
    assert not (tmp_path / FOLDER).exists()


@pytest.mark.usefixtures("stalled")
def test_progress_has_amount_rate_and_time_left(
    server: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer_meter, "LOG_SECONDS", 0.2)
    caplog.set_level(logging.INFO, "samrs")
    server.files["file"] = BODY
    server.always["file"] = "trickle"
    monkeypatch.setattr(mirrors, "TRIES", 1)
    with pytest.raises(SourceError):
        get(source(server.url("file")), tmp_path)
    lines = [r.getMessage() for r in caplog.records]
    assert any("B of 19.5kB" in line and "B/s" in line and "left" in line for line in lines), lines
    assert any("0 of 1 files" in line for line in lines)
