"""Stage release@<dataset>: thresholds, corrections and overlap rule applied, semantic maps made."""

from __future__ import annotations

from pathlib import Path

from samrs.release.release import release
from stages.stage import arguments, declared, running, section, work_folder, write_metrics


def main() -> None:
    normalized, labelled, quality_model, corrections, out, metrics = arguments(
        "normalized", "labelled", "quality_model", "corrections", "out", "metrics"
    )
    values = section(release, declared(), "release", given="work")
    work = work_folder("release") / Path(out).name
    paths = (Path(path) for path in (normalized, labelled, out, quality_model, corrections))
    write_metrics(metrics, release(*paths, work=work, **values))


if __name__ == "__main__":
    with running():
        main()
