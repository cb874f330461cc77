"""Split the wines of scikit-learn into a table to train on and one to test with."""

import argparse
import csv
from pathlib import Path

from azureml.core import Run
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, required=True)
parser.add_argument("--out", type=Path, required=True)
arguments = parser.parse_args()

wines = load_wine()
parts = train_test_split(wines.data, wines.target, test_size=0.3, random_state=arguments.seed, stratify=wines.target)
train_x, test_x, train_y, test_y = parts

arguments.out.mkdir(parents=True, exist_ok=True)
for name, features, target in (("train", train_x, train_y), ("test", test_x, test_y)):
    with (arguments.out / f"{name}.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*wines.feature_names, "target"])
        writer.writerows([*row, kind] for row, kind in zip(features.tolist(), target.tolist(), strict=True))

run = Run.get_context()
run.log("train_rows", len(train_y))
run.log("test_rows", len(test_y))
print(f"{len(train_y)} wines to train on, {len(test_y)} to test with", flush=True)
