"""What the real MLflow client takes for its calls. Runs in MLflow's own environment; prints JSON."""

import json
import statistics
import sys
import time
from collections.abc import Callable

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag


def median_ms(call: Callable[[], object], *, seconds: float) -> float:
    """Return the median of a call that is made again for so long."""
    call()
    took: list[float] = []
    ends_at = time.perf_counter() + seconds
    while len(took) < 3 or time.perf_counter() < ends_at:
        started = time.perf_counter()
        call()
        took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took)


def main() -> None:
    """Time each."""
    seconds = float(sys.argv[1])
    client = MlflowClient()
    experiment = mlflow.set_experiment("tracking").experiment_id
    writes = mlflow.set_experiment("client").experiment_id
    run_id = client.create_run(writes).info.run_id
    steps = iter(range(10**9))

    def whole_run() -> None:
        with mlflow.start_run(experiment_id=writes):
            mlflow.log_params({f"p{number}": number for number in range(5)})
            mlflow.log_metrics({f"c{number}": number / 7 for number in range(10)})

    def batch() -> None:
        metrics = [Metric("batch", step / 7, step, step) for step in (next(steps) for _ in range(900))]
        client.log_batch(run_id, metrics, [Param("p", "1")], [RunTag("t", "1")])

    answers = {
        "start_run, log_params, log_metrics, end": median_ms(whole_run, seconds=seconds),
        "log_metric": median_ms(lambda: client.log_metric(run_id, "single", 0.5, step=next(steps)), seconds=seconds),
        "log_batch of 900 points": median_ms(batch, seconds=seconds),
        "search_runs, 100 runs": median_ms(
            lambda: client.search_runs([experiment], "tags.team = 'red'", max_results=100), seconds=seconds
        ),
    }
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
