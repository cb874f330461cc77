"""Train one classifier, and say how good it is."""

import argparse
import csv
import json
from pathlib import Path

import joblib
from azureml.core import Run
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

parser = argparse.ArgumentParser()
parser.add_argument("--model", choices=["logistic", "forest", "neighbors"], required=True)
parser.add_argument("--seed", type=int, required=True)
parser.add_argument("--data", type=Path, required=True)
parser.add_argument("--out", type=Path, required=True)
arguments = parser.parse_args()


def table(name: str) -> tuple[list[list[float]], list[int]]:
    """Return the features and the kinds of the wines of one table."""
    with (arguments.data / f"{name}.csv").open() as file:
        rows = list(csv.reader(file))[1:]
    return [[float(cell) for cell in row[:-1]] for row in rows], [int(row[-1]) for row in rows]


classifiers = {
    "logistic": LogisticRegression(max_iter=1_000, random_state=arguments.seed),
    "forest": RandomForestClassifier(n_estimators=100, random_state=arguments.seed),
    "neighbors": KNeighborsClassifier(n_neighbors=5),
}
train_x, train_y = table("train")
test_x, test_y = table("test")
model = make_pipeline(StandardScaler(), classifiers[arguments.model]).fit(train_x, train_y)
guessed = model.predict(test_x)
scores = {
    "model": arguments.model,
    "accuracy": round(float(accuracy_score(test_y, guessed)), 6),
    "f1": round(float(f1_score(test_y, guessed, average="macro")), 6),
}

arguments.out.mkdir(parents=True, exist_ok=True)
joblib.dump(model, arguments.out / "model.pkl")
(arguments.out / "scores.json").write_text(json.dumps(scores))
run = Run.get_context()
run.log("accuracy", scores["accuracy"])
run.log("f1", scores["f1"])
print(f"{arguments.model}: accuracy {scores['accuracy']:.3f}, f1 {scores['f1']:.3f}", flush=True)
