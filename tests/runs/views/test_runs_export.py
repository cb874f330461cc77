"""A table's runs as a file."""

import csv
import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs import limits
from runs.models import Metric, Param, Run, Tag
from runs.search import plan
from runs.status import RunStatus
from runs.views import columns
from tests import factories


@pytest.fixture
def runs(experiment, team_mate):
    """Five runs, of which the first is completed, tagged and measured."""
    first = factories.run(experiment, by=team_mate, status=RunStatus.COMPLETED, display_name="=1+1")
    Tag.objects.create(run=first, key="quality", value="good")
    Metric.objects.create(run=first, name="loss", kind="number", latest_value=-0.5, min_value=-0.5, max_value=2)
    return [first, *(factories.run(experiment, by=team_mate) for _ in range(4))]


def export(client, experiment, form, **state):
    answer = client.get(reverse("experiment_export", args=["default", experiment.name, form]), state)
    return answer, b"".join(answer.streaming_content).decode() if answer.streaming else ""


def test_csv_has_the_tables_columns_and_order_and_every_match(client_for, team_mate, runs, experiment, monkeypatch):
    monkeypatch.setattr(limits, "PAGE_ROWS", 2)

    answer, text = export(
        client_for(team_mate), experiment, "csv", columns="number,metrics.loss,metrics.loss.max", order="metrics.loss"
    )

    rows = list(csv.reader(text.splitlines()))
    assert rows[0] == ["number", "run_id", "metrics.loss", "metrics.loss.max"]
    assert [row[0] for row in rows[1:]] == ["1", "5", "4", "3", "2"]
    assert rows[1][2:] == ["-0.5", "2.0"]
    assert answer["Content-Disposition"] == 'attachment; filename="explore-runs.csv"'


def test_a_search_that_a_page_would_end_early_goes_on_in_the_file(client_for, team_mate, runs, experiment, monkeypatch):
    monkeypatch.setattr(plan, "FEW", 0)
    monkeypatch.setattr("runs.search.walk.FAR", 2)

    _answer, text = export(client_for(team_mate), experiment, "csv", columns="number", q="number:1,3")

    assert [row[0] for row in csv.reader(text.splitlines())] == ["number", "3", "1"]


def test_a_file_has_of_each_run_what_the_table_has(runs, experiment, team_mate, local):
    Param.objects.create(run=runs[1], name="lr", value="0.1", number=0.1)
    factories.run(experiment, by=team_mate, parent=runs[0], compute_target=local)
    names = [*columns.ATTRIBUTES, "metrics.loss.max", "metrics.loss", "params.lr", "tags.quality", "properties.author"]
    shown = [columns.named(name) for name in names]
    everyone = list(Run.objects.order_by("pk"))
    extras = columns.load([run.pk for run in everyone], shown)

    rows = Run.objects.order_by("pk").values_list(*columns.paths(shown))

    by_column = columns.values(list(rows), shown, extras)
    assert by_column == [[columns.value(run, column, extras) for run in everyone] for column in shown]
    assert all(any(value is not None for value in values) for values in by_column[names.index("metrics.loss.max") : -1])


def test_a_text_is_no_formula(client_for, team_mate, runs, experiment):
    _answer, text = export(client_for(team_mate), experiment, "csv", columns="display_name,tags", q="number:1")

    assert list(csv.reader(text.splitlines()))[1][2:] == ["'=1+1", "quality: good"]


def test_json_is_one_document_for_each_run(client_for, team_mate, runs, experiment):
    _answer, text = export(client_for(team_mate), experiment, "json", columns="status,created,tags", tile="completed")

    [document] = json.loads(text)
    assert document["status"] == "Completed"
    assert document["created"] == "2026-11-23T12:00:00Z"
    assert document["tags"] == {"quality": "good"}


@pytest.mark.parametrize(
    ("form", "state", "status"),
    [("xml", {}, 404), ("csv", {"order": "x"}, 400), ("csv", {"columns": "x"}, 400), ("csv", {"q": "stats:x"}, 400)],
)
def test_a_mistake_is_refused_before_the_file_begins(client_for, team_mate, runs, experiment, form, state, status):
    answer, _text = export(client_for(team_mate), experiment, form, **state)

    assert answer.status_code == status


def test_a_stranger_gets_nothing(client_for, stranger, runs, experiment):
    assert export(client_for(stranger), experiment, "csv")[0].status_code == 404


def test_a_page_of_rows_costs_the_same_queries_however_many_they_are(client_for, team_mate, experiment):
    client, counts = client_for(team_mate), []

    for rows in (3, 27):
        for _ in range(rows):
            factories.run(experiment, by=team_mate)
        with CaptureQueriesContext(connection) as queries:
            export(client, experiment, "csv")
        counts.append(len(queries))

    assert counts[0] == counts[1]
