"""Terms and official files of isaid."""

from __future__ import annotations

from samrs.fetch.source import Source

TERMS = "iSAID: academic use only (captain-whu.github.io/iSAID); images: DOTA's terms"
_DOTA = "https://hf.co/datasets/isaaccorley/dota/resolve/672e63236622f7da6ee37fca44c50ac368b77cab/"
_PAGE = "https://captain-whu.github.io/iSAID/dataset.html"
SOURCES: tuple[Source, ...] = (
    *(
        Source(file, (_DOTA + file,), f"md5:{md5}", "", _PAGE)
        for file, md5 in (
            ("dotav1.0_images_train.tar.gz", "363b472dc3c71e7fa2f4a60223b437ea"),
            ("dotav1.0_images_val.tar.gz", "42293219ba61d61c417ae558bbe1f2ba"),
        )
    ),
    *(
        Source(f"{split}/{kind}/images.zip", (), None, f"{split}/{kind}", _PAGE)
        for split in ("train", "val")
        for kind in ("Instance_masks", "Semantic_masks")
    ),
)
