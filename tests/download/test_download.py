from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import samrs.datasets
from samrs.core.errors import (
    ArchiveError,
    MissingInputError,
    ParameterError,
    SourceError,
    TermsError,
    UnknownNameError,
)
from samrs.core.sources import Source
from samrs.download import download


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


IMAGES = zipped({"images/P0000.png": b"picture"})
LABELS = b"{}"


def sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A dataset module in a folder of its own, found by the axis as any other; set SOURCES."""
    folder = tmp_path / "axis"
    folder.mkdir()
    (folder / "toy.py").write_text("SOURCES = ()\nTERMS = 'academic use only'\n")
    monkeypatch.setattr(samrs.datasets, "__path__", [*samrs.datasets.__path__, str(folder)])
    monkeypatch.delitem(sys.modules, "samrs.datasets.toy", raising=False)
    import importlib

    yield importlib.import_module("samrs.datasets.toy")
    sys.modules.pop("samrs.datasets.toy", None)


def sources(*, urls: tuple[str, ...] = ()) -> tuple[Source, ...]:
    page = "https://example.org/terms"
    return (
        Source("images.zip", urls, sha(IMAGES), "train", page, len(IMAGES)),
        Source("labels.json", (), sha(LABELS), "train", page),
    )


def official(tmp_path: Path, dataset: str = "toy", terms_accepted: bool = True) -> dict[str, Any]:
    return download(
        dataset,
        tmp_path / "out",
        origin="official",
        scenes=1,
        seed=0,
        terms_accepted=terms_accepted,
        inbox=tmp_path / "inbox",
    )


def put(tmp_path: Path, name: str, data: bytes) -> Path:
    path = tmp_path / "inbox" / "toy" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def listing(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_files_in_the_inbox_are_checked_unpacked_and_copied(toy: Any, tmp_path: Path) -> None:
    toy.SOURCES = sources()
    put(tmp_path, "images.zip", IMAGES)
    put(tmp_path, "labels.json", LABELS)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "stale").touch()
    metrics = official(tmp_path)
    assert listing(tmp_path / "out") == ["train/images/P0000.png", "train/labels.json"]
    assert metrics == {
        "files": 2,
        "bytes": len(b"picture") + len(LABELS),
        "origin": "official",
        "terms": "academic use only",
    }


def test_what_is_missing_is_fetched_into_the_inbox(toy: Any, tmp_path: Path, server: Any) -> None:
    server.files["images"] = IMAGES
    toy.SOURCES = sources(urls=(server.url("absent"), server.url("images")))
    put(tmp_path, "labels.json", LABELS)
    official(tmp_path)
    official(tmp_path)
    assert server.asked == ["absent", "images"]
    assert listing(tmp_path / "inbox" / "toy") == ["images.zip", "labels.json"]
    assert "train/images/P0000.png" in listing(tmp_path / "out")


def test_one_error_lists_every_file_only_a_person_can_get(toy: Any, tmp_path: Path) -> None:
    toy.SOURCES = sources()
    with pytest.raises(MissingInputError) as error:
        official(tmp_path)
    for part in (
        "images.zip",
        f"{len(IMAGES)} bytes",
        sha(IMAGES),
        "labels.json",
        "https://example.org/terms",
        "academic use only",
        f"put them into {tmp_path / 'inbox' / 'toy'}",
    ):
        assert part in str(error.value)


def test_nothing_is_fetched_while_another_file_needs_a_person(
    toy: Any, tmp_path: Path, server: Any
) -> None:
    server.files["images"] = IMAGES
    toy.SOURCES = sources(urls=(server.url("images"),))
    with pytest.raises(MissingInputError, match=r"labels\.json"):
        official(tmp_path)
    assert server.asked == []


def test_a_wrong_file_in_the_inbox_is_refused(toy: Any, tmp_path: Path) -> None:
    toy.SOURCES = sources()
    put(tmp_path, "images.zip", IMAGES[:-1])
    put(tmp_path, "labels.json", LABELS)
    with pytest.raises(SourceError, match=r"images\.zip: not the official file"):
        official(tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_hostile_archive_is_refused_even_with_the_right_checksum(
    toy: Any, tmp_path: Path
) -> None:
    evil = zipped({"../../evil": b"1"})
    toy.SOURCES = (Source("images.zip", (), sha(evil), "", "page"),)
    put(tmp_path, "images.zip", evil)
    with pytest.raises(ArchiveError, match="evil"):
        official(tmp_path)
    assert not list(tmp_path.rglob("evil"))


def test_an_unpacked_layout_in_the_inbox_is_taken_as_it_is(toy: Any, tmp_path: Path) -> None:
    toy.SOURCES = sources()
    put(tmp_path, "train/images/P0000.png", b"picture")
    put(tmp_path, "readme.txt", b"")
    put(tmp_path, ".partial/images.zip/part", b"half")
    official(tmp_path)
    assert listing(tmp_path / "out") == ["readme.txt", "train/images/P0000.png"]


def test_a_dataset_without_sources_is_the_folder_a_user_brings(toy: Any, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="put your files there"):
        official(tmp_path, terms_accepted=False)
    put(tmp_path, "images/1.png", b"picture")
    assert official(tmp_path, terms_accepted=False)["files"] == 1


def test_unaccepted_terms_stop_before_anything_is_done(
    toy: Any, tmp_path: Path, server: Any
) -> None:
    toy.SOURCES = sources(urls=(server.url("images"),))
    with pytest.raises(
        TermsError, match=r"academic use only.*download\.toy\.terms_accepted to true"
    ):
        official(tmp_path, terms_accepted=False)
    assert server.asked == []


def demo(tmp_path: Path, **changed: Any) -> dict[str, Any]:
    options = {"origin": "demo", "scenes": 1, "seed": 0, "terms_accepted": False} | changed
    dataset = options.pop("dataset", "dota")
    return download(dataset, tmp_path / "out", inbox=tmp_path / "inbox", **options)


@pytest.mark.parametrize(
    ("changed", "kind", "match"),
    [
        ({"origin": "mirror"}, ParameterError, "unknown origin, got 'mirror'; demo or official"),
        ({"scenes": 0}, ParameterError, "got scenes 0"),
        ({"dataset": "dotta"}, UnknownNameError, "got 'dotta'"),
        ({"dataset": "dotta", "origin": "official"}, UnknownNameError, "got 'dotta'"),
    ],
)
def test_bad_parameters_are_named(
    changed: dict[str, Any], kind: type[Exception], match: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=match):
        demo(tmp_path, **changed)
