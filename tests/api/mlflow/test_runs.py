"""Runs as MLflow's clients start, log to, end, resume and delete them."""

import pytest

from runs.actions import cancellation
from runs.models import Metric, MetricPoint, Run, RunEvent, Tag
from runs.status import RunStatus
from tests import factories
from tests.api.mlflow.conftest import metric, pair


def test_an_mlflow_run_is_a_run(mlflow, experiment, team_mate):
    run_id = mlflow.create(experiment, run_name="first", tags=[pair("mlflow.user", "tom"), pair("team", "red")])
    mlflow.post(
        "runs/log-batch",
        run_id=run_id,
        metrics=[metric("loss", 0.5, step=1, timestamp=1000)],
        params=[pair("lr", "0.1")],
        tags=[pair("mlflow.note.content", "a *note*")],
    )
    mlflow.post("runs/update", run_id=run_id, status="FINISHED", end_time=1_700_000_060_000)

    run = Run.objects.get(run_id=run_id)
    assert (run.display_name, run.status, run.run_type) == ("first", "Completed", "interactive")
    assert (run.description, run.submitted_by, run.duration_seconds) == ("a *note*", team_mate, 60)
    assert dict(run.tags.values_list("key", "value")) == {"mlflow.user": "tom", "team": "red"}
    assert dict(run.params.values_list("name", "value")) == {"lr": "0.1"}
    assert list(MetricPoint.objects.values_list("step", "value")) == [(1, 0.5)]


def test_a_run_is_shown_as_mlflow_shows_it(mlflow, experiment):
    run_id = mlflow.create(experiment, run_name="first", user_id="tom")
    values = [metric("nan", "NaN"), metric("more", "Infinity"), metric("one", 1)]
    mlflow.post("runs/log-batch", run_id=run_id, metrics=values)

    run = mlflow.run(run_id)

    assert run["info"] == {
        "run_id": run_id,
        "run_uuid": run_id,
        "run_name": "first",
        "experiment_id": str(experiment.pk),
        "user_id": "tom",
        "status": "RUNNING",
        "start_time": 1_700_000_000_000,
        "artifact_uri": f"mlflow-artifacts:/{experiment.pk}/{run_id}/artifacts",
        "lifecycle_stage": "active",
    }
    assert {found["key"]: found["value"] for found in run["data"]["metrics"]} == {
        "nan": "NaN",
        "more": 1.7976931348623157e308,
        "one": 1,
    }
    assert run["data"]["tags"] == [pair("mlflow.runName", "first")]
    assert (run["inputs"], run["outputs"]) == ({}, {})


def test_a_run_without_a_name_gets_one(mlflow, experiment):
    run = mlflow.run(mlflow.create(experiment))

    assert run["info"]["run_name"]
    assert run["data"]["tags"] == [pair("mlflow.runName", run["info"]["run_name"])]


def test_a_nested_run_is_a_child(mlflow, experiment):
    parent = mlflow.create(experiment)
    child = mlflow.create(experiment, tags=[pair("mlflow.parentRunId", parent)])

    assert Run.objects.get(run_id=child).parent.run_id == parent
    assert pair("mlflow.parentRunId", parent) in mlflow.run(child)["data"]["tags"]
    found = mlflow.search(experiment, f"tags.mlflow.parentRunId = '{parent}'").json()["runs"]
    assert [run["info"]["run_id"] for run in found] == [child]


def test_the_same_point_again_is_one_point_and_the_latest_is_by_step(mlflow, experiment):
    run_id = mlflow.create(experiment)
    points = [metric("loss", 3, step=3, timestamp=3), metric("loss", 1, step=1, timestamp=9)]

    for _ in range(2):
        mlflow.post("runs/log-batch", run_id=run_id, metrics=[*points, points[0]])

    found = Metric.objects.get()
    assert (found.point_count, found.latest_value, found.latest_step) == (2, 3, 3)
    assert MetricPoint.objects.count() == 2


def test_a_param_keeps_its_value(mlflow, experiment):
    run_id = mlflow.create(experiment)

    answers = [
        mlflow.post("runs/log-parameter", run_id=run_id, key="lr", value=value).status_code
        for value in ("0.1", "0.1", "0.2")
    ]
    refused = mlflow.post("runs/log-batch", run_id=run_id, params=[pair("new", "1"), pair("lr", "0.2")])

    assert answers == [200, 200, 400]
    assert "Changing param values is not allowed" in refused.json()["message"]
    assert mlflow.run(run_id)["data"]["params"] == [pair("lr", "0.1")]


@pytest.mark.parametrize(
    ("call", "body", "message"),
    [
        ("runs/log-metric", {"key": 31, "value": 1, "timestamp": 1}, "Invalid value 31 for parameter 'key' supplied"),
        ("runs/log-metric", {"key": "a", "value": 1}, "Missing value for required parameter 'timestamp'"),
        ("runs/log-metric", {"key": "a", "value": "x", "timestamp": 1}, "Invalid value"),
        ("runs/log-metric", {"key": "../a", "value": 1, "timestamp": 1}, "must not resolve to other names"),
        ("runs/log-metric", {"key": "a" * 251, "value": 1, "timestamp": 1}, "250"),
        ("runs/log-batch", {"metrics": [{"key": "a", "value": 1}]}, "parameter 'metrics[0].timestamp'"),
        ("runs/log-batch", {"metrics": [metric("a", 1)] * 1001}, "at most 1000 metrics"),
        ("runs/log-batch", {"params": [pair("a", "1")] * 101}, "at most 100 params"),
        ("runs/log-batch", {"params": [pair("a", "1"), pair("a", "2")]}, "Duplicate"),
        ("runs/update", {"status": "DONE"}, "Expected one of RUNNING"),
        ("runs/set-tag", {"key": "", "value": "1"}, "Missing value for required parameter 'key'"),
    ],
)
def test_bad_input_is_refused_in_mlflows_words(mlflow, experiment, call, body, message):
    run_id = mlflow.create(experiment)

    answer = mlflow.post(call, run_id=run_id, **body)

    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert message in answer.json()["message"]


@pytest.mark.parametrize(
    ("said", "status"),
    [("FINISHED", "Completed"), ("FAILED", "Failed"), ("KILLED", "Canceled"), ("RUNNING", "Running")],
)
def test_a_client_ends_its_run(mlflow, experiment, said, status):
    run_id = mlflow.create(experiment)

    answer = mlflow.post("runs/update", run_id=run_id, status=said)

    assert answer.json()["run_info"]["status"] == said
    assert Run.objects.get(run_id=run_id).status == status


def test_a_client_resumes_its_run(mlflow, experiment):
    run_id = mlflow.create(experiment)
    for status in ("FAILED", "RUNNING", "FINISHED"):
        mlflow.post("runs/update", run_id=run_id, status=status)

    statuses = list(RunEvent.objects.order_by("id").values_list("to_status", flat=True))
    assert statuses == ["Running", "Failed", "Running", "Completed"]
    counts = experiment.status_counts.filter(is_child=False, count__gt=0).values_list("status", "count")
    assert list(counts) == [("Completed", 1)]


def test_a_canceled_run_stays_canceled_when_its_client_ends(mlflow, experiment, team_mate, noon):
    run = Run.objects.get(run_id=mlflow.create(experiment))
    cancellation.request_cancel(run=run, by=team_mate, at=noon)

    answer = mlflow.post("runs/update", run_id=run.run_id, status="FINISHED")

    assert answer.json()["run_info"]["status"] == "KILLED"
    assert "its own process is not stopped by this" in run.reason


def test_a_workers_script_does_not_end_its_run_by_itself(mlflow_of, experiment, team_mate):
    run = factories.run(experiment, by=team_mate, status=RunStatus.RUNNING, attempt_number=1)
    mlflow = mlflow_of(run)

    answers = [mlflow.post("runs/update", run_id=run.run_id, status=s).status_code for s in ("RUNNING", "FINISHED")]

    run.refresh_from_db()
    assert (answers, run.status) == ([200, 200], "Running")


def test_inside_a_run_every_experiment_is_its_own_and_new_runs_are_its_children(mlflow_of, experiment, team_mate):
    run = factories.run(experiment, by=team_mate, status=RunStatus.RUNNING, attempt_number=1)
    mlflow = mlflow_of(run)

    named = mlflow.get("experiments/get-by-name", experiment_name="whatever").json()["experiment"]
    child = mlflow.post("runs/create", experiment_id="0").json()["run"]["info"]

    assert named["experiment_id"] == child["experiment_id"] == str(experiment.pk)
    assert Run.objects.get(run_id=child["run_id"]).parent == run


def test_a_deleted_run_takes_nothing_until_it_is_restored(mlflow, experiment):
    run_id = mlflow.create(experiment)
    mlflow.post("runs/delete", run_id=run_id)

    refused = mlflow.post("runs/set-tag", run_id=run_id, key="a", value="1")
    restored = mlflow.post("runs/restore", run_id=run_id)
    taken = mlflow.post("runs/set-tag", run_id=run_id, key="a", value="1")

    assert "must be in the 'active' state" in refused.json()["message"]
    assert (restored.status_code, taken.status_code) == (200, 200)


def test_tags_are_set_and_deleted(mlflow, experiment):
    run_id = mlflow.create(experiment, run_name="old")
    mlflow.post("runs/set-tag", run_id=run_id, key="a", value="x" * 9000)
    mlflow.post("runs/set-tag", run_id=run_id, key="mlflow.runName", value="new")

    assert len(Tag.objects.get(key="a").value) == 8000
    assert mlflow.run(run_id)["info"]["run_name"] == "new"
    assert mlflow.post("runs/delete-tag", run_id=run_id, key="a").status_code == 200
    gone = mlflow.post("runs/delete-tag", run_id=run_id, key="a")
    assert (gone.status_code, gone.json()["message"]) == (404, f"No tag with name: a in run with id {run_id}")


def test_history_comes_in_pages_and_charts_by_steps(mlflow, experiment):
    run_id = mlflow.create(experiment)
    mlflow.post("runs/log-batch", run_id=run_id, metrics=[metric("m", n, step=n // 2, timestamp=n) for n in range(20)])

    first = mlflow.get("metrics/get-history", run_id=run_id, metric_key="m", max_results=15).json()
    rest = mlflow.get(
        "metrics/get-history", run_id=run_id, metric_key="m", max_results=15, page_token=first["next_page_token"]
    ).json()
    chart = mlflow.get("metrics/get-history-bulk-interval", run_ids=[run_id], metric_key="m", max_results=3).json()

    assert [point["value"] for point in first["metrics"] + rest["metrics"]] == list(range(20))
    assert "next_page_token" not in rest
    assert [point["step"] for point in chart["metrics"]] == [0, 0, 3, 3, 6, 6, 9, 9]
    assert mlflow.get("metrics/get-history", run_id=run_id, metric_key="no").json() == {}


@pytest.mark.parametrize(
    ("steps", "window", "shown"),
    [
        ([*range(10)], {}, [0, 2, 5, 7, 9]),
        ([*range(10)], {"start_step": 4, "end_step": 6}, [4, 5, 6]),
        ([*range(10)], {"start_step": 8, "end_step": 99}, [8, 9]),
        ([*range(10)], {"start_step": -5, "end_step": -1}, []),
        ([*range(10)], {"start_step": 20, "end_step": 30}, []),
        ([5, 6, 7], {"start_step": 0, "end_step": 5}, [5]),
        ([0, 1, 100], {}, [0, 1, 100]),
        ([0, 10, 20, 30, 40, 50, 60, 70], {}, [0, 20, 40, 60, 70]),
        ([0, 10, 20], {"start_step": 5, "end_step": 15}, [10]),
    ],
)
def test_a_chart_shows_some_of_the_steps_that_there_are(mlflow, experiment, steps, window, shown):
    run_id = mlflow.create(experiment)
    mlflow.post("runs/log-batch", run_id=run_id, metrics=[metric("m", step, step=step) for step in steps])

    limit = {"max_results": 4}
    chart = mlflow.get("metrics/get-history-bulk-interval", run_ids=[run_id], metric_key="m", **limit, **window).json()

    assert [point["step"] for point in chart.get("metrics", [])] == shown


def test_a_chart_of_several_runs_takes_the_steps_of_all(mlflow, experiment):
    run_ids = [mlflow.create(experiment) for _ in range(3)]
    for run_id, first in zip(run_ids, (0, 3, 100), strict=True):
        mlflow.post(
            "runs/log-batch", run_id=run_id, metrics=[metric("m", 1, step=step) for step in range(first, first + 4)]
        )

    def shown(some):
        chart = mlflow.get("metrics/get-history-bulk-interval", run_ids=some, metric_key="m", max_results=100).json()
        return [(run_ids.index(point["run_id"]), point["step"]) for point in chart["metrics"]]

    assert shown(run_ids[:2]) == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 3), (1, 4), (1, 5), (1, 6)]
    assert len(shown(run_ids)) == 12
