import argparse
import json
from pathlib import Path

from azureml.core import Run

parser = argparse.ArgumentParser()
parser.add_argument("--power", type=int)
parser.add_argument("--data", type=Path)
parser.add_argument("--out", type=Path)
arguments = parser.parse_args()
numbers = [int(line) for line in (arguments.data / "numbers.txt").read_text().split()]
score = sum(number**arguments.power for number in numbers)
arguments.out.mkdir(parents=True, exist_ok=True)
(arguments.out / "score.json").write_text(json.dumps({"power": arguments.power, "score": score}))
Run.get_context().log("score", score)
print(f"power {arguments.power} scores {score}")
