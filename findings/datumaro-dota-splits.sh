#!/bin/sh
# DOTA with train/ and val/ in Datumaro: it opens only where both splits have the same classes.
#
# datumaro 1.13.12, format "dota", layout <split>/images and <split>/labelTxt. Guess before the run: it
# opens, with the classes of both. Seen: each split's classes are gathered from its own boxes, and where
# val lacks one that train has, import_from raises (ConflictingCategoriesError within); with a box of
# that class in val it opens. A split of real scenes often lacks a rare class.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datumaro==1.13.12
cd "$folder"
cat > seen.py <<'PY'
from pathlib import Path

import numpy as np
from datumaro.components.dataset import Dataset
from PIL import Image

BOX = "10 10 40 10 40 20 10 20 {} 0\n"


def seen(name, val):
    root = Path(name)
    for split, classes in (("train", ["plane", "ship"]), ("val", val)):
        for part in ("images", "labelTxt"):
            (root / split / part).mkdir(parents=True)
        stem = f"P_{split}"
        Image.fromarray(np.zeros((100, 100, 3), np.uint8)).save(root / split / f"images/{stem}.png")
        (root / split / f"labelTxt/{stem}.txt").write_text("".join(map(BOX.format, classes)))
    try:
        dataset = Dataset.import_from(str(root), "dota")
    except Exception as error:
        return type(error).__name__, type(error.__cause__).__name__
    return sorted((item.id, item.subset, len(item.annotations)) for item in dataset)


same, fewer = seen("same", ["plane", "ship"]), seen("fewer", ["plane"])
print("val has both classes:", same)
print("val has one of two:  ", fewer)
assert same == [("P_train", "train", 2), ("P_val", "val", 2)], "this has changed"
assert fewer == ("DatasetImportError", "ConflictingCategoriesError"), "this has changed"
PY
"$folder/venv/bin/python" seen.py
