"""Clicks of a file are answered as those of the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from samrs.arithmetic import instructions
from samrs.core.shards import read_manifest, write_manifest
from samrs.corrections.read import read_corrections
from samrs.corrections.records import Anchor, Clicks
from samrs.corrections.store import Edit, Store
from samrs.review.answering import answer_clicks
from samrs.review.desk import Desk
from tests.commands.calls import call, refused


def test_clicks_of_a_file_are_answered_once(
    desk: Desk, release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instructions, "check", lambda *_: None)  # torch is there already
    folder = desk.store.folder
    rows = [desk.pictures.row(number) for number in (4, 5)]
    x, y = (rows[0]["hbb"][0] + rows[0]["hbb"][2]) / 2, (rows[0]["hbb"][1] + rows[0]["hbb"][3]) / 2
    good = Clicks(anchor=Anchor.of(rows[0]), positive=((x, y),))
    gone = Clicks(anchor=replace(Anchor.of(rows[1]), tile_id="z__0_0"), box=(1.0, 1.0, 9.0, 9.0))
    Store(folder).apply([Edit(None, good), Edit(None, gone)])
    done = call("corrections", "answer", release, "--to", folder, "--device", "cpu")
    assert done.exit_code == 1
    assert "in z__0_0: there is no such tile" in done.output
    assert "1 clicks answered, 1 without an answer" in done.output
    answered = read_corrections(folder).of(Clicks)[0]
    assert replace(answered, answer=None) == good
    assert answered.answer.model == "nano"
    # the same as by the page
    found = answer_clicks(release, folder, "cpu")
    assert (found.answered, len(found.left)) == (0, 1)
    assert read_corrections(folder).of(Clicks)[0] == answered


def test_a_release_that_nobody_answers_for_is_refused(desk: Desk, release: Path) -> None:
    about = {k: v for k, v in read_manifest(release).items() if k != "shards"}
    write_manifest(release, {**about, "model_sha256": "0" * 64})
    Store(desk.store.folder).apply(
        [Edit(None, Clicks(anchor=Anchor.of(desk.pictures.row(4)), positive=((9.0, 9.0),)))]
    )
    said = refused(call("corrections", "answer", release, "--to", desk.store.folder))
    assert "made with another checkpoint" in said
    assert read_corrections(desk.store.folder).of(Clicks)[0].answer is None
