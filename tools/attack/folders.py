"""Odd folders for the readers: links to nothing, pipes, folders named like images, cut files, and
annotation files changed at random (``tests/datasets/fuzz.py``).

Scenes are set aside, or the folder is refused in a sentence; what is written is sound.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from samrs.normalize.normalize import normalize
from samrs.verify.verify import verify
from tests.datasets.by_hand import WRITERS
from tests.datasets.fuzz import cases, time_limit, try_case, write_dataset
from tools.attack.outcome import Outcome, numbered

Attack = tuple[str, Callable[[], str | None]]
CUT: Mapping[str, Any] = {
    "tile": None, "overlap": 0, "min_visible": 0.5, "clip": True, "pad": False,
    "keep_difficult": True, "stretch": 2.0, "max_quarantined": 1.0,
}  # fmt: skip


def _dangling(file: Path) -> None:
    file.unlink()
    file.symlink_to("nowhere")


def _loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.name)


def _outside(file: Path) -> None:
    file.unlink()
    file.symlink_to("/etc/hostname")


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _half(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])


def _no_text(file: Path) -> None:
    file.rename(os.fsdecode(os.fsencode(file.parent) + b"/\xff\xfe" + os.fsencode(file.name)))


def _twin(file: Path) -> None:
    shutil.copyfile(file, file.with_name(file.name.upper()))


def _locked(file: Path) -> None:
    file.unlink()


def _newline(file: Path) -> None:
    file.rename(file.with_name(f"a\n{file.name}"))


ODD: Mapping[str, Callable[[Path], None]] = {
    "a link to nothing": _dangling,
    "a link to itself": _loop,
    "a link out of the folder": _outside,
    "a folder of its name": _folder,
    "a pipe": _pipe,
    "an empty file": _empty,
    "half a file": _half,
    "a name that is not UTF-8": _no_text,
    "a twin in capitals": _twin,
    "no file": _locked,
    "a name in two lines": _newline,
}


def attacks(work: Path, seed: int, tries: int) -> Iterator[Outcome]:
    """Every kind of odd file in place of every file of small datasets; then ``tries`` mutations.

    Args:
        work: an empty folder.
        seed: of the mutations.
        tries: mutated annotation files, over all formats.
    """
    rng = random.Random(seed)
    yield from numbered(_odd(work, rng))
    for format in sorted(WRITERS):
        root = work / f"fuzz-{format}"
        write_dataset(format, root)
        for number, data in islice(cases(format, seed=seed), max(1, tries // len(WRITERS))):

            def judge(
                format: str = format, root: Path = root, number: int = number, data: bytes = data
            ) -> None:
                try_case(format, root, number, data)

            yield from numbered([(f"{format}, case {number}", judge)])


def _odd(work: Path, rng: random.Random) -> Iterator[Attack]:
    for format in sorted(WRITERS):
        whole = work / f"whole-{format}"
        write_dataset(format, whole)
        files = sorted(p.relative_to(whole) for p in whole.rglob("*") if p.is_file())
        for name, change in ODD.items():
            for file in rng.sample(files, min(3, len(files))):

                def judge(
                    format: str = format,
                    whole: Path = whole,
                    file: Path = file,
                    change: Callable[[Path], None] = change,
                ) -> str | None:
                    source, out = work / "odd", work / "out"
                    for folder in (source, out):
                        shutil.rmtree(folder, ignore_errors=True)
                    shutil.copytree(whole, source)
                    change(source / file)
                    with time_limit():
                        normalize(format, source, out, **CUT)
                    findings = verify(out)
                    return "; ".join(findings.lines()) if findings else None

                yield f"{format}: {name} for {file}", judge
