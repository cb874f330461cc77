"""The experiment's table: columns, differences, the tree of child runs, filters, the panel of columns."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs.models import Metric, Param, Property, SearchKey, Tag
from runs.status import RunStatus
from tests import factories


@pytest.fixture
def address(experiment):
    return experiment.get_absolute_url()


@pytest.fixture
def runs(experiment, team_mate):
    """Two runs with a loss, a param, a tag and a property each."""
    runs = [factories.run(experiment, by=team_mate, status=RunStatus.COMPLETED) for _ in range(2)]
    for number, run in enumerate(runs):
        Metric.objects.create(
            run=run, name="loss", kind="number", latest_value=0.5 - number / 4, min_value=0.1, max_value=0.9
        )
        Param.objects.create(run=run, name="lr", value=f"0.{number + 1}", number=(number + 1) / 10)
        Tag.objects.create(run=run, key="a,b ~c", value="same")
        Property.objects.create(run=run, key="author", value="tom")
    return runs


def cells(page):
    return [[cell.value for cell in row.cells] for row in page.context["table"].rows]


def headings(page):
    return [str(heading.label) for heading in page.context["table"].headings]


def test_without_a_choice_the_metrics_of_the_newest_runs_are_columns(client_for, team_mate, runs, address):
    page = client_for(team_mate).get(address)

    assert headings(page)[-2:] == ["loss", "Tags"]


def test_every_kind_of_column_comes_from_the_address_and_in_its_order(client_for, team_mate, runs, address):
    asked = "metrics.loss,metrics.loss.max,params.lr~s,tags.a~2Cb ~7Ec,properties.author,exit_code,number"

    page = client_for(team_mate).get(address, {"columns": asked, "order": "params.lr"})

    assert cells(page)[0] == [1, 0.5, 0.9, "0.1", "same", "tom", None]
    assert b"width-s" in page.content
    assert headings(page)[:3] == ["Run", "loss", "loss, greatest"]


@pytest.mark.parametrize("asked", ["nmber", "metrics.", "secrets.x", ",".join(f"tags.{n}" for n in range(70))])
def test_what_is_no_column_is_refused(client_for, team_mate, runs, address, asked):
    answer = client_for(team_mate).get(address, {"columns": asked})

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("order", "numbers"), [("metrics.loss", [2, 1]), ("-params.lr", [2, 1]), ("params.lr", [1, 2])]
)
def test_the_table_sorts_by_what_hangs_on_runs(client_for, team_mate, runs, address, order, numbers):
    page = client_for(team_mate).get(address, {"order": order, "columns": order.removeprefix("-")})

    assert [run.number for run in page.context["table"].runs] == numbers
    assert b"aria-sort" in page.content


def test_only_what_differs_is_shown_and_params_join(client_for, team_mate, runs, address):
    page = client_for(team_mate).get(address, {"differ": "1", "columns": "status,metrics.loss,properties.author"})

    assert headings(page) == ["Run", "loss", "lr"]
    assert page.context["table"].hidden_count == 2


def test_a_parent_says_how_its_children_fare_and_their_best_value(client_for, team_mate, runs, experiment, address):
    parent = factories.run(experiment, by=team_mate, status=RunStatus.RUNNING)
    for status, loss in ((RunStatus.FAILED, 0.4), (RunStatus.COMPLETED, 0.2)):
        child = factories.run(experiment, by=team_mate, parent=parent, status=status)
        Metric.objects.create(run=child, name="loss", kind="number", latest_value=loss, min_value=loss, max_value=1)

    page = client_for(team_mate).get(address, {"columns": "metrics.loss"})

    row = page.context["table"].rows[0]
    assert row.summary == "1 of 2 failed, 1 of 2 completed"
    assert row.cells[1].value.value == 0.2


def test_child_runs_open_below_their_parent_a_step_at_a_time(client_for, team_mate, experiment, address):
    parent = factories.run(experiment, by=team_mate)
    children = [factories.run(experiment, by=team_mate, parent=parent) for _ in range(22)]
    grandchild = factories.run(experiment, by=team_mate, parent=children[0])
    client = client_for(team_mate)

    first = client.get(address, {"open": f"{parent.run_id},{children[0].run_id}"}).context["table"].rows
    all_ = client.get(address, {"open": f"{parent.run_id}~40"}).context["table"].rows

    assert [(row.run, row.level) for row in first[:3]] == [(parent, 0), (children[0], 1), (grandchild, 2)]
    assert (first[-1].more[0].shown, first[-1].more[0].total) == (20, 22)
    assert len(all_) == 23


def test_the_queries_do_not_grow_with_rows_columns_or_children(client_for, team_mate, experiment, address):
    client, counts = client_for(team_mate), []
    state = {"columns": "tags,metrics.loss,params.lr,properties.x,parent", "differ": "1", "children": "1"}

    for rows in (3, 27):
        for number in range(rows):
            run = factories.run(experiment, by=team_mate)
            child = factories.run(experiment, by=team_mate, parent=run)
            Metric.objects.create(run=child, name="loss", kind="number", latest_value=number, min_value=number)
            Param.objects.create(run=run, name=f"p{number}", value="1")
            Tag.objects.create(run=run, key="n", value=str(number))
        with CaptureQueriesContext(connection) as queries:
            client.get(address, state)
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_each_part_of_the_query_comes_off_as_a_chip(client_for, team_mate, runs, address):
    page = client_for(team_mate).get(address, {"q": '(status:failed OR tags.x:1) -is:archived "two words"'})

    assert [(chip.text, chip.rest) for chip in page.context["chips"]] == [
        ("status:failed OR tags.x:1", '-is:archived "two words"'),
        ("-is:archived", '(status:failed OR tags.x:1) "two words"'),
        ('"two words"', "(status:failed OR tags.x:1) -is:archived"),
    ]


def test_the_builder_writes_into_the_query(client_for, team_mate, runs, address):
    added = {"add_field": "tags", "add_key": "my key", "add_operator": ":", "add_value": "a b", "order": "number"}

    answer = client_for(team_mate).get(address, {"q": "mae OR mse", **added})

    assert answer["Location"].endswith("?q=%28mae+OR+mse%29+tags.%22my+key%22%3A%22a+b%22&order=number")


@pytest.mark.parametrize(
    "added", [{"add_field": "x", "add_value": "1"}, {"add_field": "tags", "add_value": "1"}, {"add_field": "status"}]
)
def test_a_filter_that_is_none_is_refused(client_for, team_mate, runs, address, added):
    assert client_for(team_mate).get(address, {"add_operator": ":", **added}).status_code == 400


def test_columns_are_added_moved_widened_and_removed_by_links(client_for, team_mate, runs, experiment, workspace):
    SearchKey.objects.create(workspace=workspace, kind="tags", key="quality")
    address = reverse("experiment_columns", args=[workspace.name, experiment.name])

    page = client_for(team_mate).get(address, {"draft": "number,status,created", "find": "", "q": "x"})

    status = page.context["chosen"][1]
    added = {column.name: draft for group in page.context["groups"] for column, draft in group.columns}
    assert added["tags.quality"] == "number,status,created,tags.quality"
    assert added["metrics.loss.min"] == "number,status,created,metrics.loss.min"
    assert "status" not in added
    assert (status.down, status.up) == ("number,created,status", "")
    assert (status.wider, status.removed) == ("number,status~s,created", "number,created")
    assert b'/explore-runs/?q=x&amp;columns=number%2Cstatus%2Ccreated"' in page.content


def test_a_search_finds_columns_and_a_stranger_none(client_for, team_mate, stranger, runs, experiment, workspace):
    address = reverse("experiment_columns", args=[workspace.name, experiment.name])

    found = client_for(team_mate).get(address, {"find": "LOS"}).context["groups"]

    assert [column.name for group in found for column, _draft in group.columns] == [
        "metrics.loss.min",
        "metrics.loss.max",
    ]
    assert client_for(stranger).get(address).status_code == 404
