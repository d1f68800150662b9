"""Terms and official files of coco."""

from __future__ import annotations

from samrs.fetch.source import Edition, Source, hugging_face

TERMS = "as the owner of the data says"
SOURCES: tuple[Source, ...] = ()
"""None: a format that users bring; ``EDITIONS`` has the sets that are fetched in it."""

_VHR10 = "isaaccorley/vhr10"
_VHR10_PAGE = f"https://hf.co/datasets/{_VHR10}"
EDITIONS = {
    "nwpu_vhr10": Edition(
        "NWPU VHR-10: research use only",
        (
            Source(
                "NWPU VHR-10 dataset.zip",
                hugging_face(
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
                hugging_face(
                    _VHR10, "7e7968ad265dadc4494e0ca4a079e0b63dc6f3f8", "annotations.json"
                ),
                "md5:7c76ec50c17a61bb0514050d20f22c08",
                "",
                _VHR10_PAGE,
            ),
        ),
    ),
}
"""Other editions that the same reader reads, by the parameter ``download.coco.edition``."""
