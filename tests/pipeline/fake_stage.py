"""Stands in for every stage script in tests of what reruns: quick, deterministic, honest.

Writes each output as a digest of the stage's data dependencies and declared parameters, and notes
the stage in ``ran.txt`` of the repository.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import yaml

name = os.environ["DVC_STAGE"]
definition = json.loads(Path("fake.json").read_text(encoding="utf-8"))[name]
digest = hashlib.sha256(name.encode())
for dep in definition["deps"]:
    files = [Path(dep)] if Path(dep).is_file() else sorted(Path(dep).rglob("*"))
    for file in files:
        if file.is_file() and dep.startswith(("data/", "metrics/")):
            digest.update(file.read_bytes())
values = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
if values["prompt"] == "fails" and name.startswith("sam-label"):
    sys.exit("error: prompt: unknown name, got 'fails'")
for path in definition["params"]:
    found = values
    for key in path.split("."):
        found = found[key]
    digest.update(json.dumps(found, sort_keys=True).encode())
for out in definition["outs"]:
    path = Path(out)
    if path.suffix in (".json", ".csv"):
        path.parent.mkdir(parents=True, exist_ok=True)
        text = {".json": f'{{"digest": "{digest.hexdigest()}"}}', ".csv": "step,loss\n0,1\n"}
        path.write_text(text[path.suffix], encoding="utf-8")
    elif path.suffix:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(digest.hexdigest(), encoding="utf-8")
    else:
        path.mkdir(parents=True, exist_ok=True)
        (path / "digest.txt").write_text(digest.hexdigest(), encoding="utf-8")
with Path(os.environ["DVC_ROOT"], "ran.txt").open("a", encoding="utf-8") as log:
    log.write(name + "\n")
