"""Metrics through the API: batches in, series out."""

from datetime import timedelta

import pytest

from runs.actions import recording
from runs.models import MetricPoint
from runs.status import RunStatus
from tests import factories


@pytest.fixture
def run(experiment, owner):
    return factories.run(experiment, by=owner, status=RunStatus.RUNNING)


def test_points_come_back_in_their_order_with_summaries(api_for, owner, run):
    api = api_for(owner)
    points = [{"name": "loss", "value": value} for value in (0.5, 0.9, 0.1)]

    stored = api.post(f"/runs/{run.run_id}/metrics", {"points": points}).json()
    api.post(f"/runs/{run.run_id}/metrics", {"points": [{"name": "loss", "text": "NaN", "kind": "number"}]})
    [series] = api.get(f"/runs/{run.run_id}/metrics", {"points": 10}).json()["items"]

    assert stored == {"stored": 3}
    assert [(point["step"], point["value"], point["text"]) for point in series["points"]] == [
        (0, 0.5, ""),
        (1, 0.9, ""),
        (2, 0.1, ""),
        (3, None, "NaN"),
    ]
    assert (series["min"], series["max"], series["point_count"]) == (0.1, 0.9, 4)
    assert (series["latest"], series["latest_step"]) == ("NaN", 3)


def test_a_batch_that_was_stored_changes_nothing(api_for, owner, run):
    api = api_for(owner)
    batch = {"batch_id": "b1", "points": [{"name": "loss", "value": 1}]}

    first = api.post(f"/runs/{run.run_id}/metrics", batch).json()
    again = api.post(f"/runs/{run.run_id}/metrics", batch).json()

    assert (first, again) == ({"stored": 1}, {"stored": 0})
    assert MetricPoint.objects.count() == 1


def test_rows_and_texts_and_images_are_points_too(api_for, owner, run):
    api = api_for(owner)
    points = [
        {"name": "losses", "row": {"epoch": 1, "train": 0.5, "note": "NaN", "value": None}},
        {"name": "note", "text": "warm"},
        {"name": "plot", "kind": "image", "text": "images/plot.png"},
    ]

    api.post(f"/runs/{run.run_id}/metrics", {"points": points})
    series = {item["name"]: item for item in api.get(f"/runs/{run.run_id}/metrics", {"points": 5}).json()["items"]}

    assert series["losses"]["points"][0]["row"] == {"epoch": 1, "train": 0.5, "note": "NaN", "value": None}
    assert (series["losses"]["kind"], series["note"]["kind"], series["plot"]["kind"]) == ("row", "text", "image")
    assert api.get(f"/runs/{run.run_id}").json()["metrics"] == {
        "losses": {"epoch": 1, "train": 0.5, "note": "NaN", "value": None},
        "note": "warm",
        "plot": "images/plot.png",
    }


def test_a_long_series_is_read_in_pages(api_for, owner, run, noon):
    points = [recording.Point("a/b loss", step=step // 2, value=step) for step in range(25)]
    recording.log_metrics(run=run, points=points, at=noon)
    api = api_for(owner)

    pages = [api.get(f"/runs/{run.run_id}/metrics/a/b loss", {"limit": 10}).json()]
    pages.append(api.get(f"/runs/{run.run_id}/metrics/a/b loss", {"limit": 10, "cursor": pages[0]["next"]}).json())
    pages.append(api.get(f"/runs/{run.run_id}/metrics/a/b loss", {"limit": 10, "cursor": pages[1]["next"]}).json())

    assert [point["value"] for page in pages for point in page["items"]] == [float(step) for step in range(25)]
    assert pages[2]["next"] is None


def test_recursive_metrics_are_those_of_the_run_and_all_below(api_for, owner, experiment, run, noon):
    child = factories.run(experiment, by=owner, parent=run, status=RunStatus.RUNNING)
    grandchild = factories.run(experiment, by=owner, parent=child, status=RunStatus.RUNNING)
    stranger = factories.run(experiment, by=owner, status=RunStatus.RUNNING)
    for one in (run, child, grandchild, stranger):
        recording.log_metrics(run=one, points=[recording.Point("loss", value=1.0)], at=noon)

    found = api_for(owner).get(f"/runs/{child.run_id}/metrics", {"recursive": True}).json()["items"]

    assert [item["run_id"] for item in found] == [child.run_id, grandchild.run_id]


def test_a_page_of_series_ends_where_it_would_hold_too_many_points(api_for, owner, run, noon, monkeypatch):
    monkeypatch.setattr("runs.api.v1.metrics._POINTS_PER_PAGE", 5)
    points = [recording.Point(f"m{series}", value=step) for series in range(3) for step in range(4)]
    recording.log_metrics(run=run, points=points, at=noon)
    api = api_for(owner)

    first = api.get(f"/runs/{run.run_id}/metrics", {"points": 10}).json()
    second = api.get(f"/runs/{run.run_id}/metrics", {"points": 10, "cursor": first["next"]}).json()

    assert [item["name"] for item in first["items"] + second["items"]] == ["m0", "m1"]
    assert second["next"] is not None


def test_a_point_has_the_time_at_which_it_was_logged(api_for, owner, run, noon):
    api = api_for(owner)
    at = noon - timedelta(hours=1)

    api.post(f"/runs/{run.run_id}/metrics", {"points": [{"name": "x", "value": 1, "at": at.isoformat()}]})

    assert api.get(f"/runs/{run.run_id}/metrics/x").json()["items"][0]["at"] == "2026-11-23T11:00:00Z"


@pytest.mark.parametrize(
    ("point", "field"),
    [
        ({"value": 1}, "points.0.name"),
        ({"name": "", "value": 1}, "points.0.name"),
        ({"name": "x"}, "points.0.value"),
        ({"name": "x", "value": "much"}, "points.0.value"),
        ({"name": "x", "value": 1, "step": 2**63}, "points.0.step"),
        ({"name": "x", "value": 1, "kind": "video"}, "points.0.kind"),
        ({"name": "x", "value": 1, "at": "yesterday"}, "points.0.at"),
        ({"name": "x" * 251, "value": 1}, "points.0.name"),
        ({"name": "x", "text": "y" * 65_537}, "points.0.text"),
    ],
)
def test_a_bad_point_is_refused_by_its_field(point, field, api_for, owner, run):
    answer = api_for(owner).post(f"/runs/{run.run_id}/metrics", {"points": [point]})

    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
    assert not MetricPoint.objects.exists()


def test_too_many_points_are_refused(api_for, owner, run):
    answer = api_for(owner).post(f"/runs/{run.run_id}/metrics", {"points": [{"name": "x", "value": 1}] * 10_001})

    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "points")


def test_an_unknown_series_is_not_there(api_for, owner, run):
    answer = api_for(owner).get(f"/runs/{run.run_id}/metrics/none")

    assert (answer.status_code, answer.json()["error"]["field"]) == (404, "name")


@pytest.mark.parametrize("cursor", ["x", "1", f"{2**63}_1", "1_" + "9" * 19])
def test_a_bad_place_in_a_series_is_refused(cursor, api_for, owner, run, noon):
    recording.log_metrics(run=run, points=[recording.Point("x", value=1)], at=noon)

    answer = api_for(owner).get(f"/runs/{run.run_id}/metrics/x", {"cursor": cursor})

    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "cursor")


def test_params_are_added_and_changed(api_for, owner, run):
    api = api_for(owner)
    api.post(f"/runs/{run.run_id}/params", {"params": {"alpha": 0.1, "mode": "fast"}})

    changed = api.post(f"/runs/{run.run_id}/params", {"params": {"alpha": 0.2}}).json()

    assert changed["params"] == {"alpha": "0.2", "mode": "fast"}
