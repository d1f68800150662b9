"""The checkpoint as data: bundled or fetched once, with its digest; another one is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from samrs.core import axis
from samrs.core.errors import (
    MissingInputError,
    ParameterError,
    ProductError,
    SourceError,
    UnknownNameError,
)
from samrs.core.shards import sha256
from samrs.fetch.source import Source
from samrs.label import label
from samrs.sam.checkpoints import BUILDERS
from samrs.weights import checkpoint
from samrs.weights.checkpoint import Checkpoint, read_checkpoint
from samrs.weights.checkpoints.sam import BUNDLED, NANO, PUBLISHED
from samrs.weights.models import models, segmenter_for
from samrs.weights.weights import CACHE, cache_folder, find_checkpoint, weights
from tests.label.hand_made import write_product
from tests.label.test_label import RUNTIME

BYTES = b"weights"
DIGEST = hashlib.sha256(BYTES).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's."""
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


@pytest.fixture
def vit_b(server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server that has seven bytes as ViT-B."""
    server.files["b.pth"] = BYTES
    source = Source("b.pth", (server.url("b.pth"),), f"sha256:{DIGEST}", "", "page", len(BYTES))
    monkeypatch.setitem(PUBLISHED, "vit_b", source)
    return server


def test_nano_is_copied_from_the_repository(tmp_path: Path, cache: Path) -> None:
    weights(tmp_path / "out", segmenter="sam", model="nano")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "manifest.json",
        "nano.safetensors",
    ]
    assert (tmp_path / "out" / "nano.safetensors").read_bytes() == NANO.read_bytes()
    assert json.loads((tmp_path / "out" / "manifest.json").read_text()) == {
        "product": "weights",
        "segmenter": "sam",
        "model": "nano",
        "file": "nano.safetensors",
        "bytes": NANO.stat().st_size,
        "sha256": sha256(NANO),
    }
    assert not cache.exists()


def test_a_published_checkpoint_is_fetched_once_for_all_runs(
    tmp_path: Path, vit_b: Any, cache: Path
) -> None:
    for name in ("one", "two"):
        weights(tmp_path / name, segmenter="sam", model="vit_b")
        found = read_checkpoint(tmp_path / name)
        assert found == Checkpoint("sam", "vit_b", tmp_path / name / "b.pth", DIGEST)
        assert found.verified().read_bytes() == BYTES
    assert vit_b.asked == ["b.pth"]
    assert (cache / "b.pth").read_bytes() == BYTES


def test_another_file_in_the_cache_is_refused_and_what_was_there_stays(
    tmp_path: Path, vit_b: Any, cache: Path
) -> None:
    weights(tmp_path / "out", segmenter="sam", model="vit_b")
    (cache / "b.pth").write_bytes(b"weight?")
    with pytest.raises(ProductError, match=r"b\.pth: not the checkpoint of sam vit_b, got "):
        weights(tmp_path / "out", segmenter="sam", model="vit_b")
    assert (tmp_path / "out" / "b.pth").read_bytes() == BYTES


def test_a_truncated_real_checkpoint_is_refused(real: Path, tmp_path: Path, cache: Path) -> None:
    cache.mkdir(parents=True)
    part = (real / "mobile_sam" / "mobile_sam_TRUNCATED.pt").read_bytes()
    (cache / PUBLISHED["vit_l"].file).write_bytes(part)
    with pytest.raises(ProductError, match=r"not the checkpoint of sam vit_l, got [0-9a-f]{64};"):
        weights(tmp_path / "out", segmenter="sam", model="vit_l")


@pytest.mark.parametrize("segmenter", ["box", "grabcut", "obb"])
def test_a_segmenter_without_weights_gets_a_manifest_alone(tmp_path: Path, segmenter: str) -> None:
    weights(tmp_path / "out", segmenter=segmenter, model="vit_h")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["manifest.json"]
    found = read_checkpoint(tmp_path / "out")
    assert found == Checkpoint(segmenter, "vit_h")
    with pytest.raises(ParameterError, match=f"segmenter {segmenter}: needs weights, got none"):
        found.verified()


def test_what_stood_there_before_is_removed(tmp_path: Path) -> None:
    weights(tmp_path / "out", segmenter="sam", model="nano")
    weights(tmp_path / "out", segmenter="box", model="nano")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["manifest.json"]


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="segmenter: unknown name, got 'sma'; allowed are"):
        weights(tmp_path / "out", segmenter="sma", model="nano")
    allowed = "allowed are nano, vit_b, vit_l, vit_h, .*; did you mean vit_"
    with pytest.raises(UnknownNameError, match=f"model: unknown name, got 'vit_x'; {allowed}"):
        weights(tmp_path / "out", segmenter="sam", model="vit_x")
    assert not (tmp_path / "out").exists()


def test_every_checkpoint_is_of_a_segmenter_and_of_a_model_that_can_be_built() -> None:
    assert set(axis.names("samrs.weights.checkpoints")) <= set(axis.names("samrs.segmenters"))
    assert {*BUNDLED, *PUBLISHED} == BUILDERS.keys()


def test_a_models_name_says_its_segmenter() -> None:
    names = [one.name for one in models()]
    assert len(names) == len(set(names))
    assert {one.name: segmenter_for(one.name) for one in models()} == {
        one.name: one.segmenter for one in models()
    }
    with pytest.raises(UnknownNameError, match=r"got 'vit_x'; allowed are .* did you mean vit_"):
        segmenter_for("vit_x")


def test_a_file_without_a_digest_is_brought_and_known_by_its_first_use(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PUBLISHED, "vit_b", Source("mine.pt", (), None, "", "https://page"))
    with pytest.raises(SourceError, match=r"got no file; .*get them at https://page and put"):
        find_checkpoint("sam", "vit_b")
    cache.mkdir(parents=True)
    (cache / "mine.pt").write_bytes(BYTES)
    assert find_checkpoint("sam", "vit_b").sha256 == DIGEST
    (cache / "mine.pt").write_bytes(b"others")
    with pytest.raises(ProductError, match=f"sha256 {DIGEST} is allowed"):
        find_checkpoint("sam", "vit_b").verified()


def test_no_network_says_the_file_its_address_checksum_and_where_to_put_it(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "http://127.0.0.1:9/b.pth"
    source = Source("b.pth", (url,), f"sha256:{DIGEST}", "", "page", len(BYTES))
    monkeypatch.setitem(PUBLISHED, "vit_b", source)
    with pytest.raises(SourceError) as error:
        weights(tmp_path / "out", segmenter="sam", model="vit_b")
    for part in (url, DIGEST, "7 bytes", "Apache-2.0", f"put that file at {cache / 'b.pth'}"):
        assert part in str(error.value)


def test_the_cache_is_the_users_unless_said_otherwise(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache_folder() == cache
    monkeypatch.delenv(CACHE)
    monkeypatch.setenv("XDG_CACHE_HOME", "/there")
    assert cache_folder() == Path("/there/samrs/weights")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "samrs" / "weights"


@pytest.mark.parametrize(
    "manifest",
    [
        {"product": "release"},
        {"segmenter": "sam", "model": "nano", "file": "nano.safetensors"},
        {"segmenter": "sam", "model": "nano", "file": "../nano.safetensors", "sha256": DIGEST},
        {"segmenter": 1, "model": "nano", "file": None, "sha256": None},
    ],
)
def test_a_manifest_of_something_else_is_refused(tmp_path: Path, manifest: Any) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ProductError, match="no manifest of weights, got "):
        read_checkpoint(tmp_path)


def test_no_weights_are_named_as_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no manifest"):
        read_checkpoint(tmp_path)
    with pytest.raises(ProductError, match="got no file; sha256 00 is allowed"):
        Checkpoint("sam", "nano", tmp_path / "gone", "00").verified()


def test_a_labelling_run_reads_the_weights_for_their_digest_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights(tmp_path / "weights", segmenter="sam", model="nano")
    hashed: list[str] = []

    def counted(path: Path) -> str:
        hashed.append(path.name)
        return sha256(path)

    monkeypatch.setattr(checkpoint, "sha256", counted)
    label.label(
        write_product(tmp_path / "hand"), tmp_path / "out", prompt="hbox",
            precision="float32-fast",
        checkpoint=read_checkpoint(tmp_path / "weights"), runtime=RUNTIME, work=tmp_path / "work",
    )  # fmt: skip
    assert hashed == ["nano.safetensors"]


def test_other_bytes_than_the_manifests_label_nothing(tmp_path: Path) -> None:
    weights(tmp_path / "weights", segmenter="sam", model="nano")
    with (tmp_path / "weights" / "nano.safetensors").open("ab") as file:
        file.write(b" ")
    with pytest.raises(ProductError, match=r"not the checkpoint of sam nano, got [0-9a-f]{64};"):
        label.label(
            write_product(tmp_path / "hand"), tmp_path / "out", prompt="hbox",
            precision="float32-fast",
            checkpoint=read_checkpoint(tmp_path / "weights"), runtime=RUNTIME, work=tmp_path / "w",
        )  # fmt: skip
    assert not (tmp_path / "out").exists()
