"""Terms and official files of dior."""

from __future__ import annotations

from samrs.fetch.source import Source

TERMS = "DIOR: CC BY-NC 4.0, research use (arXiv 1909.00133)"
_MIRROR = "https://hf.co/datasets/torchgeo/dior/resolve/ec7be9567d2e08eb3d3401c15a52ee2145d0ef01/"
_PAGE = "https://gcheng-nwpu.github.io/#Datasets"
SOURCES: tuple[Source, ...] = tuple(
    Source(file, (_MIRROR + file,), f"md5:{md5}", "", _PAGE)
    for file, md5 in (
        ("Images_trainval.zip", "070e9314120403e5c965d12fe5321cb0"),
        ("Annotations_trainval.zip", "90e045de37255c5919bbecf659b72c1a"),
        ("Images_test.zip", "97f3cbc86de0867624a6a34190c694ae"),
    )
)
