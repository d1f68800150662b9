from __future__ import annotations

import json

import pytest
import yaml

from samrs.card import card, markdown_text
from samrs.core.errors import MissingInputError
from samrs.core.shards import read_manifest, write_json
from tests.export.releases import write_release


def table_row(text: str, name: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_header_is_yaml_that_the_hub_reads(release):
    text = card(release)
    assert text.startswith("---\n")
    header = yaml.safe_load(text.split("---\n")[1])
    assert header["license"] == "other"
    assert header["task_categories"] == ["image-segmentation", "object-detection"]
    assert header["size_categories"] == ["n<1K"]


def test_people_stand_among_its_makers_where_they_made_what_is_in_it(tmp_path):
    """A rejected mask, and a correction that does not fit, are in no row."""
    for name, people in (("rejected", 0), ("conflicts", 0), ("accepted", 1), ("reclassified", 1)):
        made = write_release(tmp_path / name)
        about = read_manifest(made)
        said = about["counts"]["corrections"]
        said[name] = {"box": 3} if name == "conflicts" else 3
        write_json(made / "manifest.json", about)
        header = yaml.safe_load(card(made).split("---\n")[1])
        assert header["annotations_creators"][1:] == ["expert-generated"] * people


def test_counts_stand_beside_the_paper_s(release):
    text = card(release)
    assert table_row(text, "tiles")[1:] == ["4", "17,480"]
    assert table_row(text, "instances")[1:] == ["9", "about 0.61 M"]
    assert table_row(text, "... without instances")[1] == "1"
    assert "4 tiles where SAMRS has 17,480 images" in text


def test_a_dataset_of_ones_own_has_no_figures_of_the_paper(tmp_path):
    mine = write_release(tmp_path / "mine", subset="MINE", dataset="coco")
    text = card(mine)
    assert table_row(text, "tiles")[1:] == ["4", "–"]
    assert "where SAMRS has" not in text
    assert "Official files" not in text


def test_classes_and_scores_are_counted(release):
    text = card(release)
    assert table_row(text, "2")[1:5] == ["harbor", "2", "2", "228"]  # 32 and 425 px
    assert table_row(text, "predicted\\_iou")[1:] == ["0.900"] * 6 + ["0"]
    assert table_row(text, "stability\\_score")[1:] == ["–"] * 6 + ["9"]
    assert "quality" not in {line.split(" | ")[0] for line in text.splitlines()}
    assert table_row(text, "Parquet, MB")[1] == "0.1"


def test_quality_is_shown_where_the_release_has_it(tmp_path):
    text = card(write_release(tmp_path / "sota", quality=True))
    assert table_row(text, "quality")[1] == "0.750"
    assert "mean quality" in text


def test_what_a_score_is_stands_under_the_table(tmp_path):
    known = card(write_release(tmp_path / "a", quality=True))
    assert "- quality: what these scores let expect" in known
    assert "no more than a rank" in known
    about = json.loads((tmp_path / "a" / "manifest.json").read_text("utf-8"))
    write_json(tmp_path / "a" / "manifest.json", {**about, "quality": {"calibrated": True}})
    assert "no more than a rank" not in card(tmp_path / "a")


def test_a_demo_says_so_at_the_top(tmp_path, release):
    demo = card(write_release(tmp_path / "demo", origin="demo"))
    top = demo.split("## Size")[0]
    assert "A demo: its images are drawn" in top
    assert "terms of the real dataset, of which this demo holds nothing" in demo
    real = card(write_release(tmp_path / "real", origin="official"))
    assert "demo" not in real
    assert "so its terms hold for them" in real


def test_counts_of_classes_that_the_paper_does_not_print_are_not_invented(release, tmp_path):
    assert "counts of each class as bars without numbers" in card(release)
    mine = write_release(tmp_path / "mine", subset="MINE", dataset="coco")
    assert "bars without numbers" not in card(mine)


def test_provenance_and_terms_are_there(release):
    text = card(release)
    assert table_row(text, "model\\_sha256")[1] == "00ff"
    assert table_row(text, "release.overlap")[1] == "smaller\\_on\\_top"
    assert table_row(text, "... dropped: empty\\_mask")[1] == "2"
    assert "academic use only" in text
    assert "which is not the real SAM" in text
    assert "@inproceedings{SAMRS," in text
    assert "{{" not in text.replace("{{SAMRS}", "")


def test_names_from_a_dataset_are_text_and_nothing_else(tmp_path):
    evil = ["<img src=x onerror=alert(1)>", "a|b\n# title", "`[x](http://evil)`{{ 7*7 }}"]
    text = card(write_release(tmp_path / "sota", categories=evil, subset="*b*", terms="a\n\n# b"))
    body = text.split("---\n", 2)[2]
    assert "<img" not in body
    assert "*b*" not in body
    assert "\\*b\\*" in body
    assert "\n# title" not in body
    assert "[x](http" not in body
    assert "\\[x\\](http://evil)" in body
    assert table_row(text, "1")[1] == "a&#124;b \\# title"
    assert "49" not in table_row(text, "2")[1]


def test_plain_names_stay_readable():
    assert markdown_text("small-vehicle") == "small-vehicle"
    assert markdown_text("a_b") == "a\\_b"


def test_without_a_release_there_is_no_card(tmp_path):
    with pytest.raises(MissingInputError, match="no manifest"):
        card(tmp_path)
