"""Put the scores of all models side by side, the best first."""

import argparse
import json
from pathlib import Path

from azureml.core import Run

parser = argparse.ArgumentParser()
parser.add_argument("--models", type=Path, required=True, help="a folder with one folder for each model")
parser.add_argument("--out", type=Path, required=True)
arguments = parser.parse_args()

scores = [json.loads(path.read_text()) for path in sorted(arguments.models.glob("*/scores.json"))]
scores.sort(key=lambda each: (-each["f1"], each["model"]))

arguments.out.mkdir(parents=True, exist_ok=True)
(arguments.out / "scores.json").write_text(json.dumps(scores, indent=2))
run = Run.get_context()
for each in scores:
    run.log_row("models", **each)
run.log("best_f1", scores[0]["f1"])
run.tag("best_model", scores[0]["model"])
print(f"The best of {len(scores)} is {scores[0]['model']} with f1 {scores[0]['f1']:.3f}", flush=True)
