"""Draw the scores, and write the report."""

import argparse
import json
from pathlib import Path

import matplotlib
from azureml.core import Run

matplotlib.use("Agg")
from matplotlib import pyplot

parser = argparse.ArgumentParser()
parser.add_argument("--result", type=Path, required=True)
parser.add_argument("--out", type=Path, required=True)
arguments = parser.parse_args()

scores = json.loads((arguments.result / "scores.json").read_text())
names = [each["model"] for each in scores]
figure, axes = pyplot.subplots(figsize=(6, 3), layout="constrained")
axes.barh(names, [each["f1"] for each in scores], color="#0078d4")
axes.invert_yaxis()
axes.set_xlim(min(each["f1"] for each in scores) - 0.05, 1)
axes.set_xlabel("f1 on wines that were not trained on")

arguments.out.mkdir(parents=True, exist_ok=True)
figure.savefig(arguments.out / "scores.png", dpi=120)
lines = ["| model | accuracy | f1 |", "| --- | --- | --- |"]
lines += [f"| {each['model']} | {each['accuracy']:.3f} | {each['f1']:.3f} |" for each in scores]
(arguments.out / "report.md").write_text(f"# Wines\n\nThe best is **{names[0]}**.\n\n" + "\n".join(lines) + "\n")
Run.get_context().log_image("scores", plot=pyplot)
print(f"The report is in {arguments.out}", flush=True)
