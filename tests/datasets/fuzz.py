"""Annotation readers under mutated files: only documented errors, no hang, sound results.

    python -m tests.datasets.fuzz --minutes 10                 all readers, ten minutes in all
    python -m tests.datasets.fuzz --minutes 2 --dataset coco --seed 5

A case is a small dataset written by hand in which one annotation file is changed: its bytes
flipped, cut, doubled, or replaced by words that mean something to a parser. Where the real datasets
lie beside the project, their files are started from as well. A case that fails is kept as
``tests/datasets/corpus/<dataset>/<file of the dataset>-<checksum>``, and stays in the tests.
"""

from __future__ import annotations

import argparse
import hashlib
import signal
import sys
import tarfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType, ModuleType
from typing import Any

import defusedxml.ElementTree as SafeXml
import numpy as np
from defusedxml.common import DefusedXmlException

from samrs.core import axis
from samrs.core.errors import AnnotationError, ImageError, MissingInputError
from samrs.core.records import Quarantine
from samrs.core.tiling import Window
from samrs.normalize.scene_rows import Cut, InstanceRows
from samrs.reading.annotations import sound_annotations
from samrs.reading.xml import parse_xml
from tests.datasets.by_hand import HEIGHT, WIDTH, WRITERS

CORPUS = Path(__file__).parent / "corpus"
REAL = Path(__file__).parents[3] / "shared" / "real"
ALLOWED = (MissingInputError, AnnotationError)
"""What ``categories`` and ``read_scenes`` may raise; ``semantic`` may raise ImageError."""

SECONDS = 10.0
"""A case that takes longer hangs."""

MOST_BYTES = 200_000
SUFFIXES = (".txt", ".xml", ".json", ".geojson", ".yaml")
WORDS = [
    *(b"nan", b"inf", b"-1", b"0", b"1e999", b"1e-320", b"-0", b"0x1F", b"1_0", b"9" * 400),
    *(b"9" * 5000, b"\xd9\xa3", b"1,5", b"", b" ", b"\n", b"\r", b"\t", b"\0", b"\xff", b"\x0b"),
    *(b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"null", b"true", b"[]", b"{}", b"[[]]", b'""', b"NaN"),
    *(b"-Infinity", b"1e400", b'"a"', b"[" * 3000, b'{"a":' * 3000, b"<a>" * 3000, b"</object>"),
    *(b"<object>", b"<!-- -->", b"<![CDATA[x]]>", b"&amp;", b"&lt;", b"&#0;", b"&#x10FFFF;"),
    *(b'<!DOCTYPE a [<!ENTITY b "c">]>', b"<?xml version='1.0' encoding='utf-16'?>", b"&b;"),
    *(b"<!DOCTYPE a>", b"<!DOCTYPE", b"<!ENTITY b 'c'>", b"\xff\xfe", b"<?xml version='1.0'?>"),
    *(b"<?xml version='1.0' encoding='utf-7'?>", b"<?xml version='1.0' encoding='latin1'?>"),
    *(b"gsd:", b"imagesource:", b":", b"*a", b"&a ", b"&a [*a]", b"!!python/name:os.system", b"? "),
    *(b"polygon", b"mask", b"rotation", b"9,9,9", b"EPSG:4326", b"Polygon", b"1e300", b"100000"),
    *(b"2024-99-99", b"0o9", b"- ", b"<<: ", b"names:", b"|", b"%", b"id", b"size", b"counts"),
]

real_seeds: dict[str, list[tuple[str, bytes]]] = {}


def _timed_out(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"no end after {SECONDS} s")


@contextmanager
def time_limit() -> Iterator[None]:
    """Raises TimeoutError in the main thread after ``SECONDS``."""
    before = signal.signal(signal.SIGALRM, _timed_out)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def annotation_files(root: Path, dataset: str) -> list[Path]:
    """Files of a dataset that its reader parses, sorted."""
    if dataset in ("isaid", "potsdam"):
        folders = ("Instance_masks", "Semantic_masks", "5_Labels_all")
        found = [p for p in root.rglob("*.*") if set(folders) & set(p.parts)]
    else:
        found = [p for p in root.rglob("*.*") if p.suffix in SUFFIXES]
    return sorted(found)


def write_dataset(dataset: str, root: Path) -> None:
    """The dataset written by hand, with the optional files that are text."""
    WRITERS[dataset](root)
    if dataset == "dota":
        hbb = root / "train/labelTxt-hbb/P0001.txt"
        hbb.parent.mkdir()
        hbb.write_text("4 4 14 4 14 10 4 10 plane 1\n")
    if dataset == "dior":
        (root / "Main").mkdir()
        (root / "Main/val.txt").write_text("00001\n")
    if dataset == "voc":
        (root / "ImageSets/Main").mkdir(parents=True)
        (root / "ImageSets/Main/val.txt").write_text("a\nb 1\n")


def check(dataset: str, root: Path) -> None:
    """Read a dataset as normalize would and check what it gives; raises what is wrong."""
    module: ModuleType = axis.load("samrs.datasets", dataset, "read")
    quarantine = Quarantine()
    with time_limit():
        try:
            own = getattr(module, "categories", None)
            categories = module.CATEGORIES if own is None else own(root)
            scenes = list(module.read_scenes(root, quarantine))
        except ALLOWED as error:
            if str(error).count("; ") < 2 or len(str(error)) > 10_000:
                raise ValueError(f"not `where: what; allowed; what to do`: {error}") from error
            return
        cut = Cut(
            tile=20,
            overlap=5,
            min_visible=0.7,
            clip=True,
            pad=False,
            keep_difficult=True,
            stretch=2.0,
            categories=categories,
        )
        places = [Window(0, 0, 20, 20), Window(20, 0, 20, 20), Window(0, 10, 40, 20)]
        for scene in scenes:
            assert scene.image.is_file()
            assert len({a.ordinal for a in scene.annotations}) == len(scene.annotations)
            for annotation in scene.annotations:
                assert annotation.category in categories
                assert annotation.hbb.shape == (4,)
                assert np.isfinite(annotation.hbb).all()
                if annotation.obb is not None:
                    assert annotation.obb.shape == (4, 2)
                    assert np.isfinite(annotation.obb).all()
            for reason, outline in scene.uncertain:
                assert reason
                if outline is not None:
                    assert outline.shape[1:] == (2,)
                    assert np.isfinite(outline).all()
            sound = sound_annotations(scene.annotations, (WIDTH, HEIGHT), quarantine)
            fitting = [a for a in sound if a.truth is None or a.truth["size"] == [HEIGHT, WIDTH]]
            rows = InstanceRows(scene.scene_id, fitting, places, cut)
            assert len(list(rows)) == len(rows) >= len(rows.truth())
            if scene.semantic is not None:
                with suppress(ImageError):
                    assert scene.semantic().dtype == np.uint8
        for row in quarantine.rows:
            assert row["reason"]
            assert len(str(row["detail"])) < 10_000, "a message that fills the screen"


def check_xml(data: bytes) -> None:
    """XML is read as defusedxml reads it, or refused as it is there."""
    with time_limit():
        try:
            expected = SafeXml.tostring(SafeXml.fromstring(data))
        except (SafeXml.ParseError, DefusedXmlException, ValueError, LookupError):
            expected = None
        try:
            found = SafeXml.tostring(parse_xml(data, "a.xml"))
        except AnnotationError:
            found = None
        assert found == expected, "not as defusedxml reads it"


def mutate(rng: np.random.Generator, data: bytes) -> bytes:
    """One to four changes of a file."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(0, len(out) + 1))
        to = min(len(out), at + int(rng.geometric(0.1)))
        word = WORDS[int(rng.integers(len(WORDS)))]
        match int(rng.integers(9)):
            case 0:
                out[at:at] = word
            case 1:
                out[at:to] = word
            case 2:
                del out[at:to]
            case 3:
                out[at:at] = out[at:to] * int(rng.integers(1, 4))
            case 4 if out:
                out[min(at, len(out) - 1)] ^= 1 << int(rng.integers(8))
            case 5:
                out[at:to] = rng.bytes(to - at)
            case 6:
                del out[at:]
            case 7:
                encoding = ("utf-16", "utf-16-le", "utf-16-be", "utf-7")[int(rng.integers(4))]
                out[:] = out.decode("latin-1").encode(encoding)
            case _:
                _replace_token(rng, out, word)
    return bytes(out[:MOST_BYTES])


def _replace_token(rng: np.random.Generator, out: bytearray, word: bytes) -> None:
    """A number or name between separators becomes another word."""
    marks = [i for i, c in enumerate(out) if c in b' \n,:<>[]{}"']
    if len(marks) > 1:
        i = int(rng.integers(len(marks) - 1))
        out[marks[i] + 1 : marks[i + 1]] = word


def seeds(dataset: str) -> list[tuple[str, bytes]]:
    """Real files to start from: (suffix, bytes); none where the real data is not there."""
    if dataset not in real_seeds:
        found: list[Path] = []
        if dataset == "dota":
            found = sorted(REAL.glob("dota_*/labelTxt/*.txt"))
        if dataset == "hrsc2016":
            found = sorted(REAL.glob("hrsc2016/*.xml"))
        if dataset == "yolo":
            found = sorted(REAL.glob("dota8/labels/*/*.txt"))
        real_seeds[dataset] = [(p.suffix, p.read_bytes()) for p in found]
        archive = REAL / "dior/dior_annotations.tar.gz"
        if dataset in ("dior", "voc") and archive.is_file():
            with tarfile.open(archive) as file:
                for member in file:
                    if member.isfile() and member.name.endswith(".xml"):
                        data = file.extractfile(member)
                        real_seeds[dataset].append((".xml", data.read() if data else b""))
                    if len(real_seeds[dataset]) >= 40:
                        break
    return [seed for seed in real_seeds[dataset] if len(seed[1]) <= MOST_BYTES]


def cases(dataset: str, seed: int) -> Iterator[tuple[int, bytes]]:
    """Endless (number of the annotation file, its new bytes)."""
    rng = np.random.default_rng([seed, *dataset.encode()])
    with TemporaryDirectory() as name:
        write_dataset(dataset, Path(name))
        files = annotation_files(Path(name), dataset)
        originals = [path.read_bytes() for path in files]
    real = seeds(dataset)
    while True:
        number = int(rng.integers(len(files)))
        fitting = [data for suffix, data in real if suffix == files[number].suffix]
        data = originals[number]
        if fitting and rng.random() < 0.5:
            data = fitting[int(rng.integers(len(fitting)))]
        yield number, mutate(rng, data)


def try_case(dataset: str, root: Path, number: int, data: bytes) -> None:
    """Check the dataset in ``root`` with one file changed, and put it back."""
    path = annotation_files(root, dataset)[number]
    original = path.read_bytes()
    path.write_bytes(data)
    try:
        if path.suffix == ".xml":
            check_xml(data)
        check(dataset, root)
    finally:
        path.write_bytes(original)


def corpus_name(number: int, data: bytes) -> str:
    """File name of a kept case: which annotation file, and a checksum."""
    return f"{number}-{hashlib.sha256(data).hexdigest()[:12]}"


def fuzz(dataset: str, seconds: float, seed: int, keep: Path | None) -> tuple[int, list[str]]:
    """Number of cases tried, and a report of each kind of failure."""
    tried, found = 0, dict[str, str]()
    end = time.monotonic() + seconds
    with TemporaryDirectory() as name:
        root = Path(name)
        write_dataset(dataset, root)
        for number, data in cases(dataset, seed):
            if time.monotonic() > end:
                break
            tried += 1
            try:
                try_case(dataset, root, number, data)
            except Exception as error:
                last = traceback.extract_tb(error.__traceback__)[-1]
                kind = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
                if kind in found:
                    continue
                report: Any = f"{dataset}: {kind}: {str(error)[:200]}"
                if keep is not None:
                    path = keep / dataset / corpus_name(number, data)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(data)
                    report += f"; kept as {path}"
                found[kind] = report
    return tried, list(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.datasets.fuzz")
    parser.add_argument("--minutes", type=float, default=1.0, help="of all readers together")
    parser.add_argument("--dataset", choices=sorted(WRITERS), help="default: each in turn")
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    names = [wanted.dataset] if wanted.dataset else sorted(WRITERS)
    failed = False
    for name in names:
        tried, found = fuzz(name, wanted.minutes * 60 / len(names), wanted.seed, CORPUS)
        print(f"{name}: {tried} cases, {len(found)} kinds of failure", flush=True)
        for report in found:
            print(f"  {report}", flush=True)
        failed = failed or bool(found)
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
