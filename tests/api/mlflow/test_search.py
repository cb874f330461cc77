"""The search of runs: every operator, every order, pages, views, and a fixed number of queries."""

import base64

import pytest

from runs.models import Run
from tests import factories
from tests.api.mlflow.conftest import metric, pair


@pytest.fixture
def runs(mlflow, experiment):
    """Three runs, a the oldest; b has an odd metric, c none."""
    for place, (name, metrics, lr, team) in enumerate(
        (
            ("a", [metric("acc", 0.5), metric("loss/val", 3)], "0.1", "red"),
            ("b", [metric("acc", "NaN")], "0.10", "Blue"),
            ("c", [], "x_y", None),
        )
    ):
        tags = [pair("team", team)] if team else []
        made = mlflow.post(
            "runs/create", experiment_id=str(experiment.pk), run_name=name, start_time=1000 * (place + 1), tags=tags
        )
        run_id = made.json()["run"]["info"]["run_id"]
        mlflow.post("runs/log-batch", run_id=run_id, metrics=metrics, params=[pair("lr", lr)])
        if name == "a":
            mlflow.post("runs/update", run_id=run_id, status="FINISHED", end_time=9000)
            dataset = {"name": "iris", "digest": "d1", "source_type": "local", "source": "{}"}
            uses = [{"dataset": dataset, "tags": [pair("mlflow.data.context", "training")]}]
            mlflow.post("runs/log-inputs", run_id=run_id, datasets=uses)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "cba"),
        ("metrics.acc > 0.4", "a"),
        ("metric.acc >= 0.5 and params.lr = '0.1'", "a"),
        ("metrics.acc < 0.5", ""),
        ("metrics.acc <= 5e-1", "a"),
        ("metrics.acc = 0.5", "a"),
        ("metrics.acc != 0.4", "ba"),
        ("metrics.`loss/val` > 2", "a"),
        ('metrics."loss/val" > 2', "a"),
        ("params.lr = '0.1'", "a"),
        ("parameters.lr != '0.1'", "cb"),
        ("params.lr LIKE '0.1%'", "ba"),
        ("params.lr LIKE 'X%'", ""),
        ("params.lr ILIKE 'X%'", "c"),
        ("params.lr LIKE 'x__'", "c"),
        ("tags.team = 'red'", "a"),
        ('tags.team != "red"', "b"),
        ("tags.team LIKE '%lu%'", "b"),
        ("tags.team IS NULL", "c"),
        ("tags.team IS NOT NULL", "ba"),
        ("params.no IS NULL", "cba"),
        ("attributes.status = 'FINISHED'", "a"),
        ("status != 'FINISHED'", "cb"),
        ("run_name = 'b'", "b"),
        ("attribute.run_name ILIKE 'B'", "b"),
        ("`Run name` = 'c'", "c"),
        ("tags.mlflow.runName = 'c'", "c"),
        ("start_time > 1000", "cb"),
        ("created <= 1000", "a"),
        ("start_time = 2000", "b"),
        ("end_time >= 9000", "a"),
        ("user_id = 'tom'", "cba"),
        ("run_id IN ('no', 'neither')", ""),
        ("run_id NOT IN ('no')", "cba"),
        ("dataset.name = 'iris'", "a"),
        ("datasets.digest IN ('d1', 'd2')", "a"),
        ("dataset.context LIKE 'train%'", "a"),
        ("tags.team = 'a''", None),
        ("params.lr = 0.1", None),
        ("metrics.acc = 'x'", None),
        ("metrics.acc ! 1", None),
        ("foo.bar = 1", None),
        ("nonsense = 'x'", None),
        ("metrics.acc > 1 OR metrics.acc < 1", None),
        ("metrics.acc > 1 AND", None),
        ("tags.team IN ('a')", None),
        ("run_id IN 'a'", None),
    ],
)
def test_a_filter_finds_what_mlflow_finds(mlflow, experiment, runs, text, found):
    answer = mlflow.search(experiment, text)

    if found is None:
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    else:
        assert "".join(run["info"]["run_name"] for run in answer.json().get("runs", [])) == found


@pytest.mark.parametrize(
    ("order", "found"),
    [
        (["metrics.acc"], "abc"),
        (["metrics.acc DESC"], "abc"),
        (["params.lr ASC"], "abc"),
        (["params.lr DESC"], "cba"),
        (["tags.team"], "bac"),
        (["tags.team DESC"], "abc"),
        (["tags.none", "metrics.acc ASC"], "abc"),
        (["attributes.start_time ASC"], "abc"),
        (["status DESC", "run_name"], "bca"),
        (["attributes.start_time DESC"], "cba"),
        (["end_time"], "acb"),
        (["end_time DESC"], "acb"),
    ],
)
def test_an_order_puts_odd_values_after_others_and_missing_ones_last(mlflow, experiment, runs, order, found):
    assert "".join(mlflow.names(experiment, order_by=order)) == found


@pytest.mark.parametrize("attribute", ["params", "tags"])
def test_an_order_by_a_text_tells_long_ones_apart_and_equal_ones_by_their_start(mlflow, experiment, attribute):
    long = "0" * 70
    for place, value in enumerate(["1", f"{long}b", f"{long}a", None, "1"]):
        body = {"experiment_id": str(experiment.pk), "run_name": str(place), "start_time": 1000 * place + 1}
        run_id = mlflow.post("runs/create", **body).json()["run"]["info"]["run_id"]
        mlflow.post("runs/log-batch", run_id=run_id, **({attribute: [pair("v", value)]} if value else {}))
    without_value = Run.objects.get(display_name="3")
    without_value.tags.create(experiment=experiment, key="v", value=None)

    assert "".join(mlflow.names(experiment, order_by=[f"{attribute}.v"])) == "21403"
    assert "".join(mlflow.names(experiment, order_by=[f"{attribute}.v DESC"])) == "40123"
    assert "".join(mlflow.names(experiment, order_by=[f"{attribute}.v DESC", "start_time"])) == "04123"


@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize(
    "order",
    [[], ["metrics.acc"], ["params.lr DESC"], ["tags.team"], ["start_time"], ["end_time DESC"], ["status", "run_name"]],
)
def test_pages_join_without_gap_or_overlap(mlflow, experiment, runs, order, limit):
    for place in range(4):  # equal ones, two of which started at once
        body = {"experiment_id": str(experiment.pk), "run_name": str(place), "start_time": 5000 + place // 2}
        run_id = mlflow.post("runs/create", **body).json()["run"]["info"]["run_id"]
        described = {"params": [pair("lr", "1")], "tags": [pair("team", "red")]}
        mlflow.post("runs/log-batch", run_id=run_id, metrics=[metric("acc", 0.5)], **described)
    whole = mlflow.names(experiment, order_by=order)
    names, token = [], ""
    while token is not None:
        answer = mlflow.search(experiment, order_by=order, max_results=limit, page_token=token).json()
        names += [run["info"]["run_name"] for run in answer["runs"]]
        token = answer.get("next_page_token")

    assert (len(whole), names) == (7, whole)


@pytest.mark.parametrize("token", ["zzz", base64.b64encode(b"[1]").decode(), "é", "a:b"])
def test_a_token_that_is_none_is_refused(mlflow, experiment, token):
    assert mlflow.search(experiment, page_token=token).status_code == 400
    assert mlflow.post("experiments/search", max_results=1, page_token=token).status_code == 400


def test_a_token_is_that_of_its_search_and_order(mlflow, experiment, runs):
    token = mlflow.search(experiment, order_by=["metrics.acc"], max_results=1).json()["next_page_token"]

    assert mlflow.search(experiment, order_by=["metrics.acc"], page_token=token).status_code == 200
    assert mlflow.search(experiment, order_by=["metrics.acc DESC"], page_token=token).status_code == 400
    assert mlflow.post("experiments/search", max_results=1, page_token=token).status_code == 400


def test_deleted_runs_have_a_view_of_their_own(mlflow, experiment):
    kept, deleted = (mlflow.create(experiment, run_name=name) for name in ("kept", "deleted"))
    mlflow.post("runs/delete", run_id=deleted)

    assert mlflow.names(experiment) == ["kept"]
    assert mlflow.names(experiment, run_view_type="DELETED_ONLY") == ["deleted"]
    assert set(mlflow.names(experiment, run_view_type="ALL")) == {"kept", "deleted"}
    assert kept


def test_a_search_costs_the_same_for_3_and_30_runs(mlflow, experiment, team_mate, django_assert_max_num_queries):
    for _ in range(3):
        factories.run(experiment, by=team_mate)
    mlflow.names(experiment)  # the token notes that it was used
    with django_assert_max_num_queries(13) as few:
        assert len(mlflow.names(experiment)) == 3
    for _ in range(27):
        factories.run(experiment, by=team_mate)
    with django_assert_max_num_queries(13) as many:
        assert len(mlflow.names(experiment)) == 30
    assert len(few) == len(many)
