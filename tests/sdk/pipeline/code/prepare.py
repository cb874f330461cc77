import argparse
from pathlib import Path

from azureml.core import Run

parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int)
parser.add_argument("--out", type=Path)
arguments = parser.parse_args()
arguments.out.mkdir(parents=True, exist_ok=True)
(arguments.out / "numbers.txt").write_text("\n".join(str(number * arguments.seed) for number in range(10)))
Run.get_context().log("count", 10)
