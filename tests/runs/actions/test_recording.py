"""What scripts write down arrives once, in order and with true summaries."""

import pytest
from django.db import connection, transaction

from runs import dispatch, limits
from runs.actions import batches, pyramid, recording, submission
from runs.errors import InvalidInput
from runs.models import Metric, MetricPoint
from runs.status import RunStatus
from tests import factories
from tests.runs.actions.test_submission import in_threads

P = recording.Point


@pytest.fixture
def run(experiment, owner):
    return factories.run(experiment, by=owner, status=RunStatus.RUNNING)


def log(run, noon, *points, **more):
    return recording.log_metrics(run=run, points=points, at=noon, **more)


def test_summaries_skip_what_is_no_finite_number(run, noon):
    log(run, noon, *(P("x", value=value) for value in (2.0, float("nan"), float("inf"), 1.0, float("-inf"))))

    metric = Metric.objects.get()
    assert (metric.point_count, metric.min_value, metric.max_value) == (5, 1.0, 2.0)
    assert (metric.latest_value, metric.latest_text) == (None, "-Infinity")
    assert list(MetricPoint.objects.order_by("id").values_list("text", flat=True)) == [
        "",
        "NaN",
        "Infinity",
        "",
        "-Infinity",
    ]


def test_steps_go_on_where_the_series_stopped(run, noon):
    log(run, noon, P("x", value=1), P("y", value=1), P("x", value=1))
    log(run, noon, P("x", value=1), P("x", value=1, step=100), P("x", value=1))

    assert list(MetricPoint.objects.filter(metric__name="x").order_by("id").values_list("step", flat=True)) == [
        0,
        1,
        2,
        100,
        4,
    ]


def test_numbers_and_texts_share_a_series_and_rows_do_not(run, noon):
    log(run, noon, P("x", value=1), P("x", text="diverged", kind="text"))

    with pytest.raises(InvalidInput, match="cannot take a row"):
        log(run, noon, P("y", value=1), P("x", text="{}", kind="row"))
    assert Metric.objects.get().point_count == 2


def test_a_run_has_so_many_series_and_no_more(run, noon, monkeypatch):
    monkeypatch.setattr(limits, "METRICS_PER_RUN", 2)
    log(run, noon, P("a", value=1), P("b", value=1))

    with pytest.raises(InvalidInput):
        log(run, noon, P("c", value=1))
    assert log(run, noon, P("a", value=1)) == 1


def test_a_refused_batch_may_come_again(run, noon):
    with pytest.raises(InvalidInput):
        log(run, noon, P("a", value=1), P("", value=1), batch_id="b")

    assert log(run, noon, P("a", value=1), batch_id="b") == 1


def test_params_that_read_as_numbers_are_compared_as_numbers(run):
    recording.log_params(run=run, params={"a": 0.1, "b": "1e3", "c": "fast", "d": float("nan"), "e": True})

    assert dict(run.params.values_list("name", "number")) == {"a": 0.1, "b": 1000.0, "c": None, "d": None, "e": None}


def test_a_row_holds_no_number_that_json_has_no_word_for():
    assert recording.row_text({"a": float("nan"), "b": 1.5, "c": None}) == '{"a": "NaN", "b": 1.5, "c": null}'


@pytest.mark.django_db(transaction=True)
def test_writers_of_one_series_lose_nothing(experiment, owner, noon, monkeypatch):
    monkeypatch.setattr(dispatch, "hint", lambda **_: None)
    run = factories.run(experiment, by=owner, status=RunStatus.RUNNING)

    def work(number):
        return [log(run, noon, *(P(name, value=number) for name in ("b", "a", "c")[:: 1 - 2 * (number % 2)]))] * 5

    results = in_threads(6, work)

    assert results == [[3] * 5] * 6
    assert dict(Metric.objects.values_list("name", "point_count")) == {"a": 6, "b": 6, "c": 6}
    assert sorted(MetricPoint.objects.filter(metric__name="a").values_list("step", flat=True)) == [0, 1, 2, 3, 4, 5]


@pytest.mark.django_db(transaction=True)
def test_a_batch_sent_many_times_at_once_is_stored_once(experiment, owner, noon):
    run = factories.run(experiment, by=owner, status=RunStatus.RUNNING)

    results = in_threads(5, lambda _: log(run, noon, P("x", value=1), batch_id="same"))

    assert sorted(results) == [0, 0, 0, 0, 1]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_nothing_that_is_logged_waits_for_a_run_that_is_being_made(experiment, owner, noon):
    run = factories.run(experiment, by=owner, status=RunStatus.RUNNING)

    def log_at_once(_):
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '1s'")
        return log(run, noon, P("x", value=1))

    with transaction.atomic():
        submission.start_interactive(experiment=experiment, by=owner, at=noon)
        results = in_threads(1, log_at_once)

    assert results == [1]


STREAM = [(1, 0.5), (2, -1.0), (2, 7.0), (1, 9.0), (3, float("nan")), (4, 2.0), (3, 1.0), (4, 2.0), (5, 1.5)]


def test_points_one_by_one_leave_what_a_batch_of_them_leaves(experiment, owner, noon):
    points = [P("loss", step=step, at=noon, value=value) for step, value in STREAM]
    single, whole = (factories.run(experiment, by=owner, status=RunStatus.RUNNING) for _ in range(2))

    for point in points:
        batches.log_batch(run=single, at=noon, points=[point])
    batches.log_batch(run=whole, at=noon, points=points)

    left = [
        (
            list(MetricPoint.objects.filter(metric__run=run).order_by("id").values_list("step", "value", "text")),
            Metric.objects.filter(run=run).values(*recording._SUMMARIES).get(),
        )
        for run in (single, whole)
    ]
    assert left[0] == left[1]
    assert left[0][1]["point_count"] == len(STREAM) - 1  # one came twice


def test_a_single_point_makes_a_series_long_as_others_do(run, noon, monkeypatch):
    monkeypatch.setattr(pyramid, "BEGINS_AFTER", 3)
    monkeypatch.setattr(recording, "_add_beyond", recording.PreparedAddition(*_made_with()))

    for step in range(6):
        batches.log_batch(run=run, at=noon, points=[P("loss", step=step, value=float(step))])

    buckets = Metric.objects.get().buckets
    assert buckets.filter(level=0).values_list("count", "max_value").get() == (6, 5.0)


def _made_with():
    found = recording._add_beyond
    return found._build, found._model, found._columns


@pytest.mark.postgres
def test_a_series_that_another_makes_meanwhile_is_added_to(run, noon, monkeypatch):
    log(run, noon, P("x", value=1.0), P("y", value=1.0))
    held, asked = recording._held_series, []

    def late(*given):
        asked.append(given)
        return [] if len(asked) == 1 else held(*given)

    monkeypatch.setattr(recording, "_held_series", late)

    assert log(run, noon, P("x", value=2.0), P("z", value=2.0), P("x", value=3.0)) == 3

    counts = dict(Metric.objects.values_list("name", "point_count"))
    assert (counts, Metric.objects.get(name="x").max_value) == ({"x": 3, "y": 1, "z": 1}, 3.0)
    assert list(MetricPoint.objects.filter(metric__name="x").order_by("id").values_list("step", flat=True)) == [0, 1, 2]
