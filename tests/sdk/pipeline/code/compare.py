import argparse
import json
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--models", type=Path)
parser.add_argument("--out", type=Path)
arguments = parser.parse_args()
scores = [json.loads(path.read_text()) for path in sorted(arguments.models.glob("*/score.json"))]
arguments.out.mkdir(parents=True, exist_ok=True)
(arguments.out / "scores.json").write_text(json.dumps(scores))
