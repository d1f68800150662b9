"""Who changes a release and writes its manifest anew is found out, or caught by an anchor."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from samrs.core.errors import MissingInputError, ProductError
from samrs.core.records import GEOREFERENCE, INSTANCES, MASKS, QUARANTINE, TILES, TRUTH
from samrs.core.rle import hbb_to_rle
from samrs.core.shards import sha256, write_table
from samrs.publish.artifacts import Artifact, Figures
from samrs.publish.changelog import with_release
from samrs.verify.anchor import dvc_name, read_anchor
from samrs.verify.verify import verify
from tests.products_by_hand import Thing, write
from tests.released import write_release
from tests.verify.test_verify import rewrite, set_in, sign
from tools.attack.tampering import CHANGES, CONSISTENT, Tampering

SCENES = ["a__0_0", "a__32_0", "b__0_0", "c__0_0"]
THINGS = [
    Thing("a__0_0", "ship", (40, 5, 50, 10), "a#0"),
    Thing("a__0_0", "harbor", (38, 0, 60, 20), "a#1"),
    Thing("a__32_0", "ship", (8, 5, 18, 10), "a#0"),
    Thing("a__32_0", "harbor", (6, 0, 28, 20), "a#1"),
    Thing("c__0_0", "plane", (0, 0, 9, 9), "c#0"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Products of three scenes, the first cut into two tiles that show the same two instances."""
    root = tmp_path_factory.mktemp("products")
    normalized, labelled = write(root, SCENES, THINGS)
    released = write_release(normalized, labelled, root / "release" / "sota")
    return {"normalize": normalized, "sam_label": labelled, "release": released}


@pytest.fixture
def products(made: dict[str, Path], tmp_path: Path) -> dict[str, Path]:
    return {k: Path(shutil.copytree(p, tmp_path / k / p.name)) for k, p in made.items()}


def test_what_is_tampered_with_was_sound(products: dict[str, Path]) -> None:
    for product in products.values():
        assert verify(product, products["normalize"]).lines() == []


@pytest.mark.parametrize("tampering", CHANGES, ids=lambda t: t.name)
def test_a_change_is_found_though_the_manifest_is_rewritten(
    products: dict[str, Path], tampering: Tampering, tmp_path: Path
) -> None:
    assert not verify(products["release"], kept=tmp_path / "kept")
    tampering.apply(products["release"])
    findings = verify(products["release"])
    again = verify(products["release"], kept=tmp_path / "kept")
    assert again.counts == findings.counts, "what was sound before hides it"
    assert tampering.kind in findings.counts, findings.lines()
    assert "\x1b" not in "".join(findings.lines())


def anchors(release: Path, root: Path) -> list[str]:
    """All that a release can be held against: a digest, a changelog, a lock."""
    root.mkdir()
    artifact = Artifact("sota", f"data/release/{release.name}", "dataset")
    figures = Figures(4, 1234, sha256(release / "manifest.json"))
    text = with_release(
        "# C\n\n## Unreleased\n\n- new\n", "1.0.0", "2026-01-02", {artifact: figures}
    )
    changelog, lock = root / "CHANGELOG.md", root / "dvc.lock"
    changelog.write_text(text)
    lock.write_text(
        "schema: '2.0'\nstages:\n  release@dota:\n    cmd: x\n    outs:\n"
        f"    - path: data/release/{release.name}\n      md5: {dvc_name(release)}\n"
    )
    return [figures.sha256, str(changelog), str(lock)]


@pytest.mark.parametrize("tampering", CONSISTENT, ids=lambda t: t.name)
def test_what_only_an_anchor_can_tell_is_told_by_each(
    products: dict[str, Path], tampering: Tampering, tmp_path: Path
) -> None:
    against = anchors(products["release"], tmp_path / "repository")
    for said in against:
        assert verify(products["release"], anchor=read_anchor(said)).lines() == []
    tampering.apply(products["release"])
    assert verify(products["release"]).lines() == []
    for said in against:
        assert verify(products["release"], anchor=read_anchor(said)).counts == {"against": 1}


def test_an_anchor_that_does_not_name_the_product_is_a_finding(
    products: dict[str, Path], tmp_path: Path
) -> None:
    against = anchors(products["release"], tmp_path / "repository")
    other = products["release"].rename(tmp_path / "other")
    for said in against[1:]:
        (what,) = verify(other, anchor=read_anchor(said)).named["against"]
        assert "says nothing of a product 'other'" in what
        assert "data/release/sota" in what
    assert verify(other, anchor=read_anchor(against[0])).lines() == []


def test_dvc_names_a_folder_as_we_do(products: dict[str, Path], tmp_path: Path) -> None:
    from dvc.repo import Repo

    folder = tmp_path / "repo"
    folder.mkdir()
    shutil.copytree(products["release"], folder / "sota")
    repo = Repo.init(str(folder), no_scm=True)
    try:
        (stage,) = repo.add([str(folder / "sota")])
        assert stage.outs[0].hash_info.value == dvc_name(folder / "sota")
    finally:
        repo.close()


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("dvc.lock", "stages: [", "unreadable"),
        ("dvc.lock", "stages: {}", "names no product"),
        ("dvc.lock", "[1]", "names no product"),
        ("CHANGELOG.md", "# Changelog\n", "names no product"),
    ],
)
def test_an_anchor_that_is_none_is_refused(
    tmp_path: Path, name: str, text: str, error: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ProductError, match=error):
        read_anchor(str(tmp_path / name))


@pytest.mark.parametrize("said", ["abc", "nosuch.lock", "f" * 63])
def test_an_anchor_that_is_not_there_is_refused(said: str) -> None:
    with pytest.raises(MissingInputError, match="nothing to compare with"):
        read_anchor(said)


@pytest.mark.parametrize(
    ("table", "schema", "rows", "kind"),
    [
        (
            "truth",
            TRUTH,
            [
                {
                    "instance_id": "b#9",
                    "tile_id": "b__0_0",
                    "rle": hbb_to_rle((0, 0, 9, 9), (64, 64)),
                }
            ],
            "instance",
        ),
        (
            "georeference",
            GEOREFERENCE,
            [{"scene_id": "a", "crs": "EPSG:1", "transform": [float("nan"), 0, 0, 0, 1, 0]}],
            "value",
        ),
        (
            "georeference",
            GEOREFERENCE,
            [{"scene_id": "a", "crs": "EPSG:1", "transform": [0, 0, 0, 0, 0, 0]}],
            "value",
        ),
        (
            "georeference",
            GEOREFERENCE,
            [{"scene_id": "zz", "crs": "EPSG:1", "transform": [1, 0, 0, 0, -1, 0]}],
            "unknown_tile",
        ),
        (
            "quarantine",
            QUARANTINE,
            [{"source_file": "/etc/x", "source_line": 1, "reason": "r", "detail": "d"}],
            "source",
        ),
        (
            "quarantine",
            QUARANTINE,
            [{"source_file": "x", "source_line": 1, "reason": None, "detail": "d"}],
            "value",
        ),
    ],
    ids=["truth", "nan", "flat", "scene", "outside", "reason"],
)
def test_other_tables_of_normalize_are_checked(
    products: dict[str, Path], table: str, schema: object, rows: list[dict[str, object]], kind: str
) -> None:
    write_table(products["normalize"], table, schema, rows)  # type: ignore[arg-type]
    sign(products["normalize"])
    assert kind in verify(products["normalize"]).counts


def test_masks_are_those_of_the_instances_of_the_tiles_that_are_given(
    products: dict[str, Path],
) -> None:
    labelled, normalized = products["sam_label"], products["normalize"]
    rewrite(labelled, "masks", MASKS, lambda rows: rows[:-1])
    assert verify(labelled).lines() == []
    (what,) = verify(labelled, normalized).named["instance"]
    assert "4 masks for 5 instances" in what
    rewrite(labelled, "masks", MASKS, set_in(0, instance_id="a#7"))
    assert "has no such instance" in verify(labelled, normalized).named["instance"][0]


def test_tiles_of_a_folder_without_tiles_are_refused(products: dict[str, Path]) -> None:
    with pytest.raises(MissingInputError, match="no tiles shards"):
        verify(products["release"], products["sam_label"])
    with pytest.raises(MissingInputError, match="no tiles shards"):
        verify(products["release"], products["release"] / "nosuchfolder")


def test_normalize_is_checked_as_a_release_is(products: dict[str, Path]) -> None:
    rewrite(products["normalize"], "instances", INSTANCES, set_in(0, visible=float("nan")))
    rewrite(products["normalize"], "tiles", TILES, set_in(3, gsd=float("inf")))
    assert verify(products["normalize"]).counts == {"score": 2}
