"""Stage release@<dataset>: thresholds and overlap rule applied, semantic maps made."""

from __future__ import annotations

from pathlib import Path

from samrs.release import release
from stages.stage import arguments, declared, running, section, write_metrics


def main() -> None:
    normalized, labelled, out, metrics = arguments("normalized", "labelled", "out", "metrics")
    values = section(release, declared(), "release")
    write_metrics(metrics, release(Path(normalized), Path(labelled), Path(out), **values))


if __name__ == "__main__":
    with running():
        main()
