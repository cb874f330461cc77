"""Train ridge regressions with 20 values of alpha, log the error of each, and save the best model."""

import argparse
from pathlib import Path

import joblib
import numpy
from azureml.core import Run
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser()
parser.add_argument("--alphas", type=int, default=20, help="how many values of alpha to try")
count = parser.parse_args().alphas

run = Run.get_context()
features, target = load_diabetes(return_X_y=True)
train_x, test_x, train_y, test_y = train_test_split(features, target, test_size=0.2, random_state=0)
print(f"{len(train_x)} rows to train on, {len(test_x)} to test with", flush=True)

best_alpha, best_model, best_mse = None, None, float("inf")
for alpha in numpy.linspace(0.05, 1.0, count):
    model = Ridge(alpha=alpha).fit(train_x, train_y)
    mse = mean_squared_error(test_y, model.predict(test_x))
    run.log("alpha", float(alpha))
    run.log("mse", float(mse))
    print(f"alpha {alpha:.2f}: mse {mse:.2f}", flush=True)
    if mse < best_mse:
        best_alpha, best_model, best_mse = float(alpha), model, float(mse)

outputs = Path("outputs")
outputs.mkdir(exist_ok=True)
joblib.dump(best_model, outputs / "model.pkl")
run.tag("best_alpha", f"{best_alpha:.2f}")
run.log("best_mse", best_mse)
print(f"The best is alpha {best_alpha:.2f} with mse {best_mse:.2f}: see outputs/model.pkl", flush=True)
