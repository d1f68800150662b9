"""The table of masks in windows."""

from __future__ import annotations

import pandas as pd

from benchmarks.windows import table


def test_recipes_are_compared_on_the_same_instances() -> None:
    frame = pd.DataFrame(
        [
            {"scene_id": f"s{i}", "tile_id": f"t{i}", "instance_id": f"i{i}", "recipe": recipe,
             "iou": iou, "encoder_passes": passes}
            for i in range(10)
            for recipe, iou, passes in (("before", 0.5, 1.0), ("fit", 0.575, 0.25))
        ]
    )  # fmt: skip
    assert table(frame, "before").splitlines() == [
        "10 instances, 10 pictures",
        "",
        "| recipe | mIOU_I | to the reference | passes |",
        "| --- | ---: | ---: | ---: |",
        "| before | 50.0 | – | 1.00 |",
        "| fit | 57.5 | +7.5 (7.5 to 7.5) | 0.25 |",
    ]
