from __future__ import annotations

import base64

import numpy as np
import pytest

from samrs.core.images import decode_rgb
from samrs.drawing.html import jpeg_uri, model_note


def test_data_uri_holds_the_picture():
    uri = jpeg_uri(np.full((8, 8, 3), 200, np.uint8), 90)
    kind, _, data = uri.partition(",")
    assert kind == "data:image/jpeg;base64"
    assert decode_rgb(base64.b64decode(data), "uri").shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ({"segmenter": "sam", "model": "nano"}, "not the real SAM"),
        ({"segmenter": "sam", "model": "vit_h"}, "Segment Anything, vit_h"),
        ({"segmenter": "grabcut", "model": "nano"}, "No network made these masks"),
    ],
)
def test_note_says_what_made_the_masks(manifest, words):
    assert words in model_note(manifest)["title"]
