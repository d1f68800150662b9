"""Stage finetune@<benchmark>: what pre-training brings on human labels, few and all of them."""

from __future__ import annotations

from pathlib import Path

from samrs.arithmetic import instructions
from samrs.finetune.headline import surely_gained
from stages.stage import arguments, declared, running, runtime, section, work_folder, write_metrics


def main() -> None:
    benchmark, normalized, pretrained, out, metrics, headline = arguments(
        "benchmark", "normalized", "pretrained", "out", "metrics", "headline"
    )
    params = declared()
    instructions.begin(params["finetune"][benchmark]["precision"])
    from samrs.finetune.finetune import finetune  # with torch, which must find instructions held

    values = section(finetune, params, f"finetune.{benchmark}", given="runtime")
    work = work_folder(f"finetune/{benchmark}")
    values |= {"store": work_folder("tiles"), "runtime": runtime()}
    done = finetune(Path(normalized), Path(pretrained), Path(out), work, **values)
    if not done:
        return  # the first process of torchrun writes
    write_metrics(metrics, done)
    write_metrics(headline, {benchmark: surely_gained(done)})


if __name__ == "__main__":
    with running():
        main()
