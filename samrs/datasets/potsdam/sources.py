"""Terms and official files of potsdam."""

from __future__ import annotations

from samrs.fetch.source import Edition, Source

TERMS = "ISPRS Potsdam: research use, registration required (isprs.org)"
_PAGE = "https://www.isprs.org/education/benchmarks/UrbanSemLab/2d-sem-label-potsdam.aspx"
SOURCES: tuple[Source, ...] = (
    Source("2_Ortho_RGB.zip", (), None, "", _PAGE),
    Source("5_Labels_all.zip", (), None, "", _PAGE),
)

EDITIONS = {
    "potsdam_rgbir": Edition(
        "ISPRS Potsdam: research use, registration required (isprs.org)",
        (
            Source(
                "4_Ortho_RGBIR.zip",
                (),
                "md5:c4a8f7d8c7196dd4eba4addd0aae10c1",
                "",
                _PAGE,
            ),
            Source("5_Labels_all.zip", (), None, "", _PAGE),
        ),
    ),
}
"""Other editions that the same reader reads, by the parameter ``download.potsdam.edition``."""
