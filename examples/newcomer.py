"""From nothing to a drawn tile: clone, pull, verify, COCO, torch, a picture.

    python -m examples.newcomer REPOSITORY FOLDER --subset sota
    python -m examples.newcomer REPOSITORY FOLDER --url http://127.0.0.1:8000   # a mirror

REPOSITORY is an address or path that git clones; the data come from its default DVC remote, or from
the mirror at ``--url``. No account, no GPU. ``FOLDER/tile.png`` is the picture.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import torch
from pycocotools.coco import COCO
from torch.utils.data import DataLoader
from torchvision.io import write_png
from torchvision.utils import draw_bounding_boxes, draw_segmentation_masks

from samrs.data import ReleaseTiles, detection_batch
from samrs.export.export import export
from samrs.verify.verify import verify


def fetch(repository: str, clone: Path, subset: str, url: str | None) -> Path:
    """Clone a repository and pull one released subset; returns its folder."""
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run(["git", "clone", "-q", "--", repository, str(clone)], check=True)
    if url:
        subprocess.run(
            [*dvc, "remote", "add", "--local", "-d", "mirror", url], cwd=clone, check=True
        )
    subprocess.run([*dvc, "pull", "-q", f"data/release/{subset}"], cwd=clone, check=True)
    return clone / "data" / "release" / subset


def count_with_coco(release: Path, out: Path) -> int:
    """Export to COCO, read it with pycocotools, and compare each mask's px with its area."""
    export("coco", release, out)
    masks = 0
    for file in sorted((out / "annotations").glob("*.json")):
        coco = COCO(str(file))
        for annotation in coco.loadAnns(coco.getAnnIds()):
            if int(coco.annToMask(annotation).sum()) != annotation["area"]:
                sys.exit(f"{file}: annotation {annotation['id']} has another area")
            masks += 1
    return masks


def draw_a_tile(release: Path, picture: Path) -> str:
    """Draw the tile with the most instances; returns its id."""
    tiles = ReleaseTiles(release, masks="dense")
    best: dict = {"labels": torch.empty(0)}
    for images, targets in DataLoader(tiles, batch_size=2, collate_fn=detection_batch):
        for image, target in zip(images, targets, strict=True):
            if "image" not in best or len(target["labels"]) > len(best["labels"]):
                best = {"image": image, **target}
    drawn = draw_segmentation_masks(best["image"], best["masks"].bool(), alpha=0.5)
    if len(best["boxes"]):
        names = [tiles.categories[label] for label in best["labels"].tolist()]
        drawn = draw_bounding_boxes(drawn, best["boxes"], names, colors="yellow")
    write_png(drawn, str(picture))
    return best["tile_id"]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.newcomer")
    parser.add_argument("repository")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--subset", default="sota")
    parser.add_argument("--url", help="a mirror of the DVC remote")
    wanted = parser.parse_args()
    wanted.folder.mkdir(parents=True, exist_ok=True)
    release = fetch(wanted.repository, wanted.folder / "clone", wanted.subset, wanted.url)
    findings = verify(release)
    if findings:
        sys.exit("\n".join(findings.lines()))
    print(f"pulled {release}: sound")
    print(f"pycocotools read {count_with_coco(release, wanted.folder / 'coco')} masks")
    picture = wanted.folder / "tile.png"
    print(f"drew {draw_a_tile(release, picture)} to {picture}")


if __name__ == "__main__":
    main()
