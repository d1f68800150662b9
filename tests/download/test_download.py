from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

import samrs.datasets
from samrs.core import axis
from samrs.core.errors import (
    ArchiveError,
    MissingInputError,
    ParameterError,
    SourceError,
    TermsError,
    UnknownNameError,
)
from samrs.core.parameters import check_section
from samrs.download.download import download
from samrs.download.editions import edition_of
from samrs.fetch.source import Edition, Source
from tests.download.published import EDITIONS
from tests.pipeline.closure import ROOT


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
    (folder / "toy").mkdir()
    text = "SOURCES = ()\nTERMS = 'academic use only'\nEDITIONS = {}\n"
    (folder / "toy" / "sources.py").write_text(text)
    (folder / "toy" / "__init__.py").touch()
    monkeypatch.setattr(samrs.datasets, "__path__", [*samrs.datasets.__path__, str(folder)])
    for name in ("samrs.datasets.toy", "samrs.datasets.toy.sources"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import importlib

    yield importlib.import_module("samrs.datasets.toy.sources")
    for name in ("samrs.datasets.toy", "samrs.datasets.toy.sources"):
        sys.modules.pop(name, None)


def sources(*, urls: tuple[str, ...] = ()) -> tuple[Source, ...]:
    page = "https://example.org/terms"
    return (
        Source("images.zip", urls, sha(IMAGES), "train", page, len(IMAGES)),
        Source("labels.json", (), sha(LABELS), "train", page),
    )


def official(
    tmp_path: Path, terms_accepted: bool = True, edition: str | None = None
) -> dict[str, Any]:
    return download(
        "toy",
        tmp_path / "out",
        origin="official",
        scenes=1,
        seed=0,
        edition=edition,
        terms_accepted=terms_accepted,
        inbox=tmp_path / "inbox" / "toy",
        parallel=2,
    )


def manifest(tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tmp_path / "out" / "manifest.json").read_text())
    return found


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
    assert listing(tmp_path / "out") == [
        "manifest.json",
        "train/images/P0000.png",
        "train/labels.json",
    ]
    assert metrics["files"] == 3
    assert metrics["origin"] == "official"
    assert metrics["terms"] == "academic use only"


def test_the_manifest_says_source_revision_checksum_and_terms(
    toy: Any, tmp_path: Path, server: Any
) -> None:
    revision = "0123456789abcdef0123456789abcdef01234567"
    path = f"resolve/{revision}/images.zip"
    server.files[path] = IMAGES
    toy.SOURCES = (*sources(urls=(server.url(path),))[:1], unpublished())
    put(tmp_path, "masks.zip", IMAGES)
    official(tmp_path)
    first = (tmp_path / "out" / "manifest.json").read_bytes()
    assert manifest(tmp_path) == {
        "dataset": "toy",
        "edition": None,
        "origin": "official",
        "terms": "academic use only",
        "terms_accepted": True,
        "extra": None,
        "sources": [
            {
                "file": "images.zip",
                "page": "https://example.org/terms",
                "urls": [server.url(path)],
                "revision": revision,
                "checksum": sha(IMAGES),
                "checksum_of": "publisher",
                "bytes": len(IMAGES),
                "extract_to": "train",
                "leave_out": [],
            },
            {
                "file": "masks.zip",
                "page": "https://example.org/terms",
                "urls": [],
                "revision": None,
                "checksum": sha(IMAGES),
                "checksum_of": "first use",
                "bytes": len(IMAGES),
                "extract_to": "masks",
                "leave_out": [],
            },
        ],
    }
    official(tmp_path)
    assert (tmp_path / "out" / "manifest.json").read_bytes() == first


def unpublished() -> Source:
    return Source("masks.zip", (), None, "masks", "https://example.org/terms")


def test_a_file_without_a_checksum_is_known_by_its_first_use(
    toy: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    toy.SOURCES = (unpublished(),)
    put(tmp_path, "masks.zip", IMAGES)
    official(tmp_path)
    assert f"its publisher gives no checksum; recorded {sha(IMAGES)}" in caplog.text
    caplog.clear()
    official(tmp_path)
    assert not caplog.text
    other = zipped({"images/P0000.png": b"another"})
    put(tmp_path, "masks.zip", other)
    with pytest.raises(SourceError, match=rf"not the file used before, got {sha(other)} of"):
        official(tmp_path)
    (tmp_path / "inbox" / "toy" / ".checksums.json").unlink()
    official(tmp_path)


def test_a_broken_file_is_not_remembered(toy: Any, tmp_path: Path) -> None:
    toy.SOURCES = (unpublished(),)
    put(tmp_path, "masks.zip", IMAGES[:-30])
    with pytest.raises(ArchiveError, match="broken archive"):
        official(tmp_path)
    put(tmp_path, "masks.zip", IMAGES)
    official(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"masks.zip": 1}'])
def test_a_damaged_record_of_first_uses_is_named(toy: Any, tmp_path: Path, text: str) -> None:
    toy.SOURCES = (unpublished(),)
    put(tmp_path, "masks.zip", IMAGES)
    put(tmp_path, ".checksums.json", text.encode())
    with pytest.raises(SourceError, match=r"checksums\.json: cannot be read, got"):
        official(tmp_path)


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
    assert listing(tmp_path / "out") == ["manifest.json", "readme.txt", "train/images/P0000.png"]
    assert manifest(tmp_path)["sources"] == []


def test_extra_files_are_added_to_the_official_ones(toy: Any, tmp_path: Path, server: Any) -> None:
    server.files["images"] = IMAGES
    toy.SOURCES = sources(urls=(server.url("images"),))[:1]
    put(tmp_path, "extra/Annotations/1.xml", b"<a/>")
    put(tmp_path, "extra/more.zip", zipped({"train/images/P0001.png": b"more"}))
    official(tmp_path)
    assert listing(tmp_path / "out") == [
        "Annotations/1.xml",
        "manifest.json",
        "train/images/P0000.png",
        "train/images/P0001.png",
    ]
    described = manifest(tmp_path)["extra"]
    assert described["files"] == 2
    put(tmp_path, "extra/Annotations/1.xml", b"<b/>")
    official(tmp_path)
    assert manifest(tmp_path)["extra"]["sha256"] != described["sha256"]


def test_extra_files_are_added_to_an_unpacked_layout(toy: Any, tmp_path: Path) -> None:
    toy.SOURCES = sources()
    put(tmp_path, "extra/a/1.xml", b"<a/>")
    with pytest.raises(MissingInputError):
        official(tmp_path)
    put(tmp_path, "train/1.png", b"")
    official(tmp_path)
    assert listing(tmp_path / "out") == ["a/1.xml", "manifest.json", "train/1.png"]


@pytest.mark.parametrize("name", ["train/images/P0000.png", "manifest.json"])
def test_extra_files_replace_no_official_one(toy: Any, tmp_path: Path, name: str) -> None:
    toy.SOURCES = sources()[:1]
    put(tmp_path, "images.zip", IMAGES)
    put(tmp_path, f"extra/{name}", b"another")
    with pytest.raises(SourceError, match="would replace an official file"):
        official(tmp_path)
    (tmp_path / "inbox" / "toy" / "extra" / name).unlink()
    put(tmp_path, "extra/more.zip", zipped({name: b"another"}))
    with pytest.raises(ArchiveError, match="already in"):
        official(tmp_path)


def test_misnamed_archives_are_no_unpacked_layout(toy: Any, tmp_path: Path) -> None:
    toy.SOURCES = sources()
    put(tmp_path, "train/part1/image.zip", IMAGES)
    put(tmp_path, "train/.partial/images.zip", b"half")
    with pytest.raises(MissingInputError, match=r"got none of: images\.zip"):
        official(tmp_path)


def test_another_edition_of_a_dataset_is_chosen_by_name(
    toy: Any, tmp_path: Path, server: Any
) -> None:
    server.files["images"] = IMAGES
    chosen = sources(urls=(server.url("images"),))[:1]
    toy.EDITIONS = {"toy_v1": Edition("free", chosen)}
    toy.SOURCES = sources()
    assert official(tmp_path, edition="toy_v1")["terms"] == "free"
    assert manifest(tmp_path)["edition"] == "toy_v1"
    assert "train/images/P0000.png" in listing(tmp_path / "out")
    with pytest.raises(UnknownNameError, match="got 'dota_v1'; null, toy_v1 is allowed"):
        official(tmp_path, edition="dota_v1")


@pytest.mark.parametrize(("dataset", "edition"), EDITIONS)
def test_editions_have_terms_and_files_of_different_names(dataset: str, edition: Edition) -> None:
    sources = axis.load("samrs.datasets", dataset, "sources")
    name = next(name for name, found in sources.EDITIONS.items() if found is edition)
    assert edition_of(dataset, name) is edition
    assert edition.terms
    assert "\n" not in edition.terms
    assert len({s.file for s in edition.sources}) == len(edition.sources)


def test_a_format_without_official_files_says_where_ones_own_are_named(
    toy: Any, tmp_path: Path
) -> None:
    put(tmp_path, "images/1.png", b"picture")
    with pytest.raises(MissingInputError, match=r"toy is a format without .*datasets.<name>.path"):
        official(tmp_path)


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
    options = {
        "origin": "demo",
        "scenes": 1,
        "seed": 0,
        "edition": None,
        "terms_accepted": False,
        "inbox": tmp_path / "inbox",
        "parallel": 2,
    } | changed
    dataset = options.pop("dataset", "dota")
    return download(dataset, tmp_path / "out", **options)


@pytest.mark.parametrize(
    ("changed", "kind", "match"),
    [
        ({"origin": "mirror"}, ParameterError, "unknown origin, got 'mirror'; demo or official"),
        (
            {"edition": "v9", "origin": "official"},
            UnknownNameError,
            r"download\.dota\.edition: unknown name, got 'v9'; null, dota_v1 is allowed",
        ),
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


def test_params_hold_what_every_download_needs() -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    assert params["runtime"]["downloads"] >= 1
    for dataset in params["download"]:
        values = {**params["download"][dataset], "origin": params["origin"]}
        check_section(download, values, f"download.{dataset}", ["inbox", "parallel"])
        assert values["terms_accepted"] is False, "nobody's terms are accepted by default"


def test_files_of_other_names_in_the_inbox_are_said(toy: Any, tmp_path: Path) -> None:
    toy.SOURCES = sources()
    put(tmp_path, "Images.zip", IMAGES)
    with pytest.raises(
        MissingInputError, match=r"\(the inbox holds Images\.zip\); .* under these names"
    ):
        official(tmp_path)
