"""Terms and official files of dota."""

from __future__ import annotations

from samrs.fetch.source import Edition, Source, hugging_face

TERMS = "DOTA-v2.0: academic use only, commercial use prohibited (captain-whu.github.io/DOTA)"
_MIRROR = (
    "https://hf.co/datasets/isaaccorley/dota/resolve/672e63236622f7da6ee37fca44c50ac368b77cab/"
)
_PAGE = "https://captain-whu.github.io/DOTA/dataset.html"
SOURCES: tuple[Source, ...] = tuple(
    Source(file, (_MIRROR + file,), f"md5:{md5}", "", _PAGE)
    for file, md5 in (
        ("dotav1.0_images_train.tar.gz", "363b472dc3c71e7fa2f4a60223b437ea"),
        ("dotav1.0_images_val.tar.gz", "42293219ba61d61c417ae558bbe1f2ba"),
        ("dotav2.0_images_train.tar.gz", "91ae5212d170330ab9f65ccb6c675763"),
        ("dotav2.0_images_val.tar.gz", "737f65edf54b5aa627b3d48b0e253095"),
        ("dotav2.0_annotations_train.tar.gz", "04d3d626df2203053b7f06581b3b0667"),
        ("dotav2.0_annotations_val.tar.gz", "ec53c1dbcfc125d7532bd6a065c647ac"),
    )
)

_DOTA = ("isaaccorley/dota", "672e63236622f7da6ee37fca44c50ac368b77cab")
EDITIONS = {
    "dota_v1": Edition(
        "DOTA-v1.0: academic use only, commercial use prohibited (captain-whu.github.io/DOTA)",
        tuple(
            Source(file, hugging_face(*_DOTA, file), f"md5:{md5}", "", _PAGE)
            for file, md5 in (
                ("dotav1.0_images_train.tar.gz", "363b472dc3c71e7fa2f4a60223b437ea"),
                ("dotav1.0_images_val.tar.gz", "42293219ba61d61c417ae558bbe1f2ba"),
                ("dotav1.0_annotations_train.tar.gz", "f6788257bcc4d29018344a4128e3734a"),
                ("dotav1.0_annotations_val.tar.gz", "28155c05b1dc3a0f5cb6b9bdfef85a13"),
            )
        ),
    ),
}
"""Other editions that the same reader reads, by the parameter ``download.dota.edition``."""
