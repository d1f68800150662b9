"""Terms and official files of fair1m."""

from __future__ import annotations

from pathlib import PurePosixPath

from samrs.fetch.source import Source

TERMS = "FAIR1M-2.0: research use, registration required (gaofen-challenge.com)"
_PAGE = "https://drive.google.com/file/d/"
SOURCES: tuple[Source, ...] = tuple(
    Source(file, (), f"md5:{md5}", str(PurePosixPath(file).parent), _PAGE + drive_id)
    for file, md5, drive_id in (
        (
            "train/part1/images.zip",
            "a460fe6b1b5b276bf856ce9ac72d6568",
            "1LWT_ybL-s88Lzg9A9wHpj0h2rJHrqrVf",
        ),
        (
            "train/part1/labelXml.zip",
            "80f833ff355f91445c92a0c0c1fa7414",
            "1CnOuS8oX6T9JMqQnfFsbmf7U38G6Vc8u",
        ),
        (
            "train/part2/images.zip",
            "ad237e61dba304fcef23cd14aa6c4280",
            "1cx4MRfpmh68SnGAYetNlDy68w0NgKucJ",
        ),
        (
            "train/part2/labelXmls.zip",
            "5c5948e68cd0f991a0d73f10956a3b05",
            "1RFVjadTHA_bsB7BJwSZoQbiyM7KIDEUI",
        ),
        (
            "validation/images.zip",
            "dce782be65405aa381821b5f4d9eac94",
            "1lSSHOD02B6_sUmr2b-R1iqhgWRQRw-S9",
        ),
        (
            "validation/labelXmls.zip",
            "700b516a21edc9eae66ca315b72a09a1",
            "1sTTna1C5n3Senpfo-73PdiNilnja1AV4",
        ),
    )
)
