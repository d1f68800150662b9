"""Stage pretrain: multi-head segmentation pre-training on the released subsets."""

from __future__ import annotations

from pathlib import Path

from samrs.arithmetic import instructions
from stages.stage import (
    arguments,
    copy_plot,
    declared,
    running,
    runtime,
    section,
    subsets,
    work_folder,
    write_metrics,
)


def main() -> None:
    released, out, metrics, history, headline = arguments(
        "released", "out", "metrics", "history", "headline"
    )
    params = declared()
    instructions.begin(params["pretrain"]["precision"])
    from samrs.pretrain import pretrain  # with torch, which must find instructions held

    values = section(pretrain, params, "pretrain", given="runtime")
    releases = subsets(params, released)
    work, store = work_folder("pretrain"), work_folder("tiles")
    done = pretrain(releases, Path(out), work, store=store, runtime=runtime(), **values)
    if not done:
        return  # the first process of torchrun writes
    write_metrics(metrics, done)
    write_metrics(headline, {"loss": done["final_loss"]})
    copy_plot(Path(out) / "history.csv", history)


if __name__ == "__main__":
    with running():
        main()
