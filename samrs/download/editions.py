"""Which official files stand for a dataset: its own, or another edition in the same layout.

A dataset's module names the files of its usual edition (``SOURCES``). Others that the same reader
reads are named here and chosen by the parameter ``download.<dataset>.edition``.
"""

from __future__ import annotations

from dataclasses import dataclass

from samrs.core import axis
from samrs.core.errors import UnknownNameError
from samrs.fetch.source import Source


@dataclass(frozen=True)
class Edition:
    """Official files of a dataset.

    Args:
        dataset: whose reader reads it (``samrs/datasets/<dataset>.py``).
        terms: licence or terms of use, one line.
        sources: its files; empty where users bring their own.
    """

    dataset: str
    terms: str
    sources: tuple[Source, ...]


def edition_of(dataset: str, name: str | None) -> Edition:
    """An edition of a dataset; None is its usual one.

    Raises:
        UnknownNameError: unknown dataset, or it has no such edition.
    """
    module = axis.load("samrs.datasets", dataset)
    if name is None:
        return Edition(dataset, module.TERMS, module.SOURCES)
    allowed = [key for key, edition in EDITIONS.items() if edition.dataset == dataset]
    if name not in allowed:
        raise UnknownNameError(
            f"download.{dataset}.edition: unknown name, got {name!r}; "
            f"{', '.join(['null', *allowed])} is allowed; correct it in params.yaml"
        )
    return EDITIONS[name]


def _hugging_face(repository: str, revision: str, path: str) -> tuple[str, ...]:
    return (f"https://hf.co/datasets/{repository}/resolve/{revision}/{path}",)


_DOTA = ("isaaccorley/dota", "672e63236622f7da6ee37fca44c50ac368b77cab")
_DOTA_PAGE = "https://captain-whu.github.io/DOTA/dataset.html"
_VHR10 = "isaaccorley/vhr10"
_VHR10_PAGE = f"https://hf.co/datasets/{_VHR10}"
_POTSDAM_PAGE = "https://www.isprs.org/education/benchmarks/UrbanSemLab/2d-sem-label-potsdam.aspx"

EDITIONS = {
    "dota_v1": Edition(
        "dota",
        "DOTA-v1.0: academic use only, commercial use prohibited (captain-whu.github.io/DOTA)",
        tuple(
            Source(file, _hugging_face(*_DOTA, file), f"md5:{md5}", "", _DOTA_PAGE)
            for file, md5 in (
                ("dotav1.0_images_train.tar.gz", "363b472dc3c71e7fa2f4a60223b437ea"),
                ("dotav1.0_images_val.tar.gz", "42293219ba61d61c417ae558bbe1f2ba"),
                ("dotav1.0_annotations_train.tar.gz", "f6788257bcc4d29018344a4128e3734a"),
                ("dotav1.0_annotations_val.tar.gz", "28155c05b1dc3a0f5cb6b9bdfef85a13"),
            )
        ),
    ),
    "nwpu_vhr10": Edition(
        "coco",
        "NWPU VHR-10: research use only",
        (
            Source(
                "NWPU VHR-10 dataset.zip",
                _hugging_face(
                    _VHR10,
                    "60ecc4be33609184e2224606858cd00b7daba8df",
                    "NWPU%20VHR-10%20dataset.zip",
                ),
                "md5:6add6751469c12dd8c8d6223064c6c4d",
                "",
                _VHR10_PAGE,
                # Its images have names that occur among the annotated ones, too.
                leave_out=("negative image set",),
            ),
            Source(
                "annotations.json",
                _hugging_face(
                    _VHR10, "7e7968ad265dadc4494e0ca4a079e0b63dc6f3f8", "annotations.json"
                ),
                "md5:7c76ec50c17a61bb0514050d20f22c08",
                "",
                _VHR10_PAGE,
            ),
        ),
    ),
    "potsdam_rgbir": Edition(
        "potsdam",
        "ISPRS Potsdam: research use, registration required (isprs.org)",
        (
            Source(
                "4_Ortho_RGBIR.zip",
                (),
                "md5:c4a8f7d8c7196dd4eba4addd0aae10c1",
                "",
                _POTSDAM_PAGE,
            ),
            Source("5_Labels_all.zip", (), None, "", _POTSDAM_PAGE),
        ),
    ),
}
"""Editions by name."""
