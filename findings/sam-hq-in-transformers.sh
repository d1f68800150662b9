#!/bin/sh
# SAM-HQ in transformers: masks do not see the image that the decoder's transformer gives back.
#
# transformers 5.24.0, torch 2.15.0. SAM's decoder lets prompts and image attend to one another, then makes
# masks of the image that comes out. Guess before the run: SAM-HQ, which adds a head to SAM, does the
# same. Seen: with that image replaced by zeros SAM's masks change and SAM-HQ's do not. Its decoder binds
# the two results to `point_embedding, iou_token_out` and goes on with the image from before, its rows and
# columns swapped.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.15.0 transformers==5.24.0
cd "$folder"
cat > seen.py <<'PY'
import torch
from transformers import SamConfig, SamHQConfig, SamHQModel, SamModel

VISION = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 64,
          "patch_size": 8, "output_channels": 32, "global_attn_indexes": [1], "window_size": 4,
          "mlp_dim": 64, "num_pos_feats": 16}
PROMPTS = {"hidden_size": 32, "image_size": 64, "patch_size": 8, "image_embedding_size": 8}
MASKS = {"hidden_size": 32, "mlp_dim": 64, "num_attention_heads": 2, "iou_head_hidden_dim": 32}


def seen(model, config, masks):
    torch.manual_seed(0)
    model = model(config(vision_config=VISION, prompt_encoder_config=PROMPTS,
                         mask_decoder_config={**MASKS, **masks})).eval()
    given = {"pixel_values": torch.randn(1, 3, 64, 64), "multimask_output": False,
             "input_boxes": torch.tensor([[[8.0, 8.0, 40.0, 40.0]]])}
    with torch.no_grad():
        before = model(**given).pred_masks
        model.mask_decoder.transformer.register_forward_hook(
            lambda module, asked, answer: (answer[0], torch.zeros_like(answer[1]), *answer[2:]))
        after = model(**given).pred_masks
    return not torch.equal(before, after)


sam = seen(SamModel, SamConfig, {})
hq = seen(SamHQModel, SamHQConfig, {"vit_dim": 32})
print("SAM: masks change without the image that the decoder's transformer gives back:", sam)
print("SAM-HQ:", hq)
assert sam, "this has changed"
assert not hq, "this has changed"
PY
"$folder/venv/bin/python" seen.py
