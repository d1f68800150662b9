"""A folder of kept work is one process's at a time; another waits as long as it is told to."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from samrs.core.errors import ProductError
from samrs.work.lock import in_use, locked, remove_idle


def test_another_process_is_waited_for_until_patience_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "work"
    with locked(folder, "packs tiles", 0.0), caplog.at_level(logging.INFO, "samrs"):
        begin = time.monotonic()
        with pytest.raises(ProductError, match=r"work: in use, got another process that packs ti"):
            locked(folder, "packs tiles", patience=0.3)
        assert time.monotonic() - begin >= 0.3
    assert caplog.messages == [f"{folder}: another process packs tiles; waiting"]
    with locked(folder, "packs tiles", patience=0.0):
        pass


@pytest.mark.parametrize("patience", [None, 60.0])
def test_who_waits_comes_in_when_the_other_is_done(tmp_path: Path, patience: float | None) -> None:
    inside = threading.Event()

    def wait() -> bool:
        with locked(tmp_path, "packs tiles", patience):
            return inside.is_set()

    with ThreadPoolExecutor(1) as pool:
        with locked(tmp_path, "packs tiles", None):
            late = pool.submit(wait)
            time.sleep(0.2)
            assert not late.done()
            inside.set()
        assert late.result(30)


def test_a_folder_is_removed_unless_a_process_works_in_it_or_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "unit"
    with locked(folder, "packs", None):
        remove_idle(folder)
        assert folder.is_dir()
        readers = [in_use(folder), in_use(folder)]
    for reader in readers:
        remove_idle(folder)
        assert folder.is_dir()
        reader.close()
    remove_idle(folder)
    assert not folder.exists()


def test_who_waited_for_a_folder_that_was_removed_makes_it_again(tmp_path: Path) -> None:
    folder = tmp_path / "unit"

    def wait() -> bool:
        with locked(folder, "packs", 60.0):
            return (folder / "lock").is_file()

    with ThreadPoolExecutor(1) as pool:
        with locked(folder, "packs", None):
            late = pool.submit(wait)
            time.sleep(0.2)
            shutil.rmtree(folder)
        assert late.result(30)
