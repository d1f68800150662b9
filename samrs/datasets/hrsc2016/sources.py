"""Terms and official files of hrsc2016."""

from __future__ import annotations

from samrs.fetch.source import Source

TERMS = "HRSC2016: academic use only (Google Earth imagery)"
SOURCES: tuple[Source, ...] = (
    Source("HRSC2016.zip", (), None, "", "https://www.kaggle.com/datasets/guofeng/hrsc2016"),
)
