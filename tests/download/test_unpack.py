from __future__ import annotations

import gzip
import io
import stat
import tarfile
import tempfile
import unicodedata
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from samrs.core.errors import ArchiveError
from samrs.download.archive_members import Limits
from samrs.download.unpack import extract, is_archive

GOOD = {"images/P0000.png": b"picture", "labelTxt/P0000.txt": b""}
HOSTILE_NAMES = {
    "../evil": "leaves the folder",
    "images/../../evil": "leaves the folder",
    "..\\evil": "leaves the folder",
    "/etc/evil": "absolute name",
    "C:\\evil": "absolute name",
    "bad\nname": "control characters",
    "long/" + "n" * 256 + "/a": "name too long",
}


def make_zip(path: Path, files: dict[str, bytes] | list[tuple[str, bytes]]) -> Path:
    pairs = files.items() if isinstance(files, dict) else files
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in pairs:
            info = zipfile.ZipInfo(name)
            info.filename = name
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return path


def make_tar(path: Path, files: dict[str, bytes] | list[tuple[str, bytes]]) -> Path:
    pairs = files.items() if isinstance(files, dict) else files
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, data in pairs:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


MAKERS = [pytest.param(make_zip, "a.zip", id="zip"), pytest.param(make_tar, "a.tar.gz", id="tar")]


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(archive: Path, out: Path, match: str, limits: Limits | None = None) -> None:
    with pytest.raises(ArchiveError, match=match):
        extract(archive, out, limits=limits or Limits())
    assert files_below(out) == {}
    assert sorted(p.name for p in out.parent.iterdir()) in ([archive.name], [archive.name, "out"])


@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_files_come_out_as_they_went_in(make, name, tmp_path):
    assert extract(make(tmp_path / name, GOOD), tmp_path / "out") == 2
    assert files_below(tmp_path / "out") == GOOD


@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_folders_left_out_are_checked_but_not_written(make, name, tmp_path):
    files = {**GOOD, "set/negative/P0000.png": b"?", "negative": b"a file of that name"}
    archive = make(tmp_path / name, files)
    assert extract(archive, tmp_path / "out", leave_out=("negative",)) == 3
    assert files_below(tmp_path / "out") == {**GOOD, "negative": b"a file of that name"}
    archive = make(tmp_path / name, {"negative/../../evil": b"1"})
    with pytest.raises(ArchiveError, match="leaves the folder"):
        extract(archive, tmp_path / "out", leave_out=("negative",))


@pytest.mark.parametrize(("make", "name"), MAKERS)
@pytest.mark.parametrize(("member", "what"), HOSTILE_NAMES.items())
def test_names_that_leave_the_folder_are_refused(make, name, member, what, tmp_path):
    archive = make(tmp_path / name, [("fine.txt", b"1"), (member, b"2")])
    refused(archive, tmp_path / "out", what)


@pytest.mark.parametrize(("make", "name"), MAKERS)
@pytest.mark.parametrize("other", ["images/p0000.PNG", "./images/P0000.png"])
def test_two_members_that_are_one_file_are_refused(make, name, other, tmp_path):
    archive = make(tmp_path / name, [*GOOD.items(), (other, b"other")])
    refused(archive, tmp_path / "out", r"[pP]0000.* that is the same file as 'images/P0000\.png'")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_a_name_given_twice_is_refused(make, name, tmp_path):
    archive = make(tmp_path / name, [("a.txt", b"1"), ("a.txt", b"2")])
    refused(archive, tmp_path / "out", r"'a\.txt' that is the same file")


@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_a_file_below_a_file_is_refused(make, name, tmp_path):
    archive = make(tmp_path / name, [("a/b.txt", b"1"), ("A", b"2")])
    refused(archive, tmp_path / "out", r"'a/b\.txt' below 'A'")


@pytest.mark.parametrize(("make", "name"), MAKERS)
@pytest.mark.parametrize("folder", ["Images", "imag\u0065\u0301s"])
def test_two_folders_that_are_one_are_refused(make, name, folder, tmp_path):
    first = unicodedata.normalize("NFC", folder.lower())
    archive = make(tmp_path / name, [(f"a/{first}/1", b"1"), (f"a/{folder}/2", b"2")])
    refused(archive, tmp_path / "out", "/2' in a folder that is also written 'a/imag.s'")


@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_bombs_are_refused_by_ratio_total_and_number(make, name, tmp_path):
    archive = make(tmp_path / name, {"zeros": bytes(2**20), "more": bytes(2**20)})
    out = tmp_path / "out"
    refused(archive, out, "'(zeros|more)' that swells", Limits(ratio=100, ratio_from=2**10))
    refused(archive, out, "'more' that swells", Limits(total=2**20 + 2**19))
    refused(archive, out, "too many", Limits(members=1))
    assert extract(archive, out, limits=Limits(ratio=1100, ratio_from=2**10)) == 2


@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_nothing_already_there_is_replaced(make, name, tmp_path):
    out = tmp_path / "out"
    extract(make(tmp_path / name, GOOD), out)
    for files in ({"images/P0000.png": b"?"}, {"images/P0000.png/a": b"?"}):
        with pytest.raises(ArchiveError, match="already in"):
            extract(make(tmp_path / name, files), out)
    assert files_below(out) == GOOD


def test_zip_links_are_refused(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    refused(tmp_path / "a.zip", tmp_path / "out", "'link' that is a link or device")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, b"S"])
def test_tar_links_devices_and_sparse_files_are_refused(kind, tmp_path):
    info = tarfile.TarInfo("odd")
    info.type, info.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(info)
    refused(tmp_path / "a.tar", tmp_path / "out", "'odd' that is a link or device")


def test_zip_members_with_a_password_are_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"secret": b"1"})
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    refused(archive, tmp_path / "out", "with a password")


def test_a_tar_header_that_asks_for_much_memory_is_refused(tmp_path):
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 2**32
    with gzip.open(tmp_path / "a.tar.gz", "wb") as file:
        file.write(header.tobuf() + bytes(2**20))
    refused(tmp_path / "a.tar.gz", tmp_path / "out", "bytes; .* are allowed")


@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_truncated_and_damaged_archives_are_refused(make, name, tmp_path):
    noise = bytes((i * i * 2654435761 >> 13) & 255 for i in range(50_000))
    archive = make(tmp_path / name, {"a": noise, "b": noise[::-1]})
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    refused(archive, tmp_path / "out", "broken archive")
    middle = len(whole) // 2
    archive.write_bytes(whole[:middle] + b"damaged" + whole[middle + 7 :])
    refused(archive, tmp_path / "out", "broken archive")


def test_a_bomb_of_many_members_is_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {f"{i:03}": bytes(2**20) for i in range(100)})
    packed = archive.stat().st_size
    refused(archive, tmp_path / "out", "that swells", Limits(total=50 * 2**20))
    refused(archive, tmp_path / "out", "that swells", Limits(ratio=900, ratio_from=2**20))
    assert packed < 2**18


def test_a_zip_member_longer_than_it_declares_is_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"liar": bytes(5000)})
    data = archive.read_bytes()
    archive.write_bytes(data.replace((5000).to_bytes(4, "little"), (50).to_bytes(4, "little")))
    refused(archive, tmp_path / "out", "'liar' of .* the 50 bytes|broken archive")


def test_endless_headers_are_refused(tmp_path):
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 0
    with gzip.open(tmp_path / "a.tar.gz", "wb") as file:
        file.write(header.tobuf() * 5000)
    refused(tmp_path / "a.tar.gz", tmp_path / "out", "broken archive, got RecursionError")


def test_a_damaged_bzip2_is_refused(tmp_path):
    (tmp_path / "a.tar.bz2").write_bytes(b"BZh9 no more")
    refused(tmp_path / "a.tar.bz2", tmp_path / "out", "broken archive")


@pytest.mark.parametrize(("make", "name"), [*MAKERS, pytest.param(make_tar, "a.tar", id="plain")])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    changes=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, 4000),
)
def test_no_damage_does_more_than_an_archive_error(make, name, changes, cut, tmp_path):
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        archive = make(Path(folder, name), {**GOOD, "a/b/c": bytes(range(256))})
        data = bytearray(archive.read_bytes())
        for place, byte in changes:
            data[place % len(data)] = byte
        archive.write_bytes(data[: len(data) - max(0, cut - 3500)])
        out = Path(folder, "below", "out")
        try:
            extract(archive, out)
        except ArchiveError:
            assert not out.exists() or files_below(out) == {}
        assert {p.name for p in Path(folder).iterdir()} <= {name, "below"}
        assert not out.parent.exists() or [p.name for p in out.parent.iterdir()] == ["out"]


def test_a_tar_without_its_end_is_refused(tmp_path):
    archive = make_tar(tmp_path / "a.tar", {"a": b"1", "b": b"2"})
    archive.write_bytes(archive.read_bytes()[:1024])
    refused(archive, tmp_path / "out", "no end marker")


def test_zip_members_made_with_backslashes_land_in_folders(tmp_path):
    extract(make_zip(tmp_path / "a.zip", {"images\\1.tif": b"1"}), tmp_path / "out")
    assert files_below(tmp_path / "out") == {"images/1.tif": b"1"}


def test_what_is_an_archive_is_told_by_name():
    assert is_archive(Path("a.ZIP"))
    assert is_archive(Path("a.tar.gz"))
    assert not is_archive(Path("annotations.json"))
    with pytest.raises(ArchiveError, match="unpack it yourself"):
        is_archive(Path("HRSC2016.part01.rar"))


def test_a_member_below_the_name_of_a_working_folder_replaces_no_other(tmp_path):
    members = {".unpacking-a.zip/1.png": b"evil", "1.png": b"good"}
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    assert extract(archive, tmp_path / "out") == 2
    found = {name: (tmp_path / "out" / name).read_bytes() for name in members}
    assert found == members
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [".unpacking-a.zip", "1.png"]
