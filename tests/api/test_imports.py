"""Runs that were tracked elsewhere come with their ids and times, once."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs.actions import archiving
from runs.models import Experiment, Run, StatusCount
from runs.status import RunStatus
from tests import factories


def tracked(run_id, **fields):
    return {
        "run_id": run_id,
        "status": "Completed",
        "started_utc": "2019-12-01T10:00:00Z",
        "ended_utc": "2019-12-01T10:05:00Z",
        **fields,
    }


def send(api, *runs, experiment="history", **fields):
    return api.post("/imports", {"experiment": experiment, "runs": list(runs), **fields})


def error(answer):
    return answer.status_code, answer.json()["error"]["code"], answer.json()["error"]["field"]


def test_a_run_is_as_it_was(api_for, owner):
    described = {
        "display_name": "first",
        "description": "a *note*",
        "tags": {"team": "red", "seen": None},
        "params": {"lr": 0.1},
        "properties": {"author": "me"},
    }

    answer = send(api_for(owner), tracked("abc", **described))

    item = {"run_id": "abc", "is_new": True, "parent_run_id": None, "properties": {"author": "me"}}
    assert (answer.status_code, answer.json()) == (200, {"items": [item]})
    run = api_for(owner).get("/runs/abc").json()
    assert {name: run[name] for name in described} == {**described, "params": {"lr": "0.1"}}
    assert (run["status"], run["run_type"], run["submitted_by"]) == ("Completed", "interactive", "olivia")
    assert [run[f"{name}_utc"][:19] for name in ("created", "start_time", "end_time")] == [
        "2019-12-01T10:00:00",
        "2019-12-01T10:00:00",
        "2019-12-01T10:05:00",
    ]
    events = api_for(owner).get("/runs/abc/events").json()["items"]
    assert [(event["to_status"], event["at"][11:16]) for event in events] == [
        ("Running", "10:00"),
        ("Completed", "10:05"),
    ]


@pytest.mark.parametrize("status", ["Running", "Completed", "Failed", "Canceled"])
def test_every_status_is_counted(status, api_for, owner):
    assert send(api_for(owner), tracked("abc", status=status)).status_code == 200

    run = Run.objects.get(run_id="abc")
    said = list(run.events.order_by("id").values_list("from_status", "to_status"))
    assert (said[0], said[-1][1]) == (("", "Running"), status)
    counted = StatusCount.objects.filter(experiment=run.experiment, count__gt=0).values_list("status", "count")
    assert (run.status, list(counted)) == (status, [(status, 1)])


def test_sent_again_it_makes_nothing_and_changes_nothing(api_for, owner):
    api = api_for(owner)
    send(api, tracked("abc", display_name="first"))
    api.patch("/runs/abc", {"display_name": "mine"})
    api.post("/runs/abc/properties", {"properties": {"done": "yes"}})

    answer = send(api, tracked("abc", display_name="first"), tracked("def"))

    assert [(item["run_id"], item["is_new"], item["properties"]) for item in answer.json()["items"]] == [
        ("abc", False, {"done": "yes"}),
        ("def", True, {}),
    ]
    assert Run.objects.get(run_id="abc").display_name == "mine"


def test_children_come_below_their_parents_even_if_these_were_canceled(api_for, owner):
    api = api_for(owner)
    parent = tracked("parent", status="Canceled")

    send(api, tracked("child", parent_run_id="parent", status="Canceled"), parent)
    answer = send(api, tracked("grandchild", parent_run_id="child"))

    assert [item["parent_run_id"] for item in answer.json()["items"]] == ["child"]
    grandchild = Run.objects.get(run_id="grandchild")
    assert (grandchild.parent.run_id, grandchild.root.run_id) == ("child", "parent")


def test_a_parent_must_be_there(api_for, owner, stranger):
    elsewhere = factories.run(factories.experiment(stranger.memberships.get().workspace), by=stranger)

    absent = send(api_for(owner), tracked("abc", parent_run_id="nobody"))
    foreign = send(api_for(owner), tracked("abc", parent_run_id=elsewhere.run_id))

    assert error(absent) == error(foreign) == (422, "invalid", "parent_run_id")
    assert not Run.objects.filter(run_id="abc").exists()


def test_an_id_that_is_taken_elsewhere_or_lies_in_the_trash_is_refused(api_for, owner, stranger, experiment, noon):
    elsewhere = factories.run(factories.experiment(stranger.memberships.get().workspace), by=stranger)
    trashed = factories.run(experiment, by=owner, trashed_at=noon)

    answers = [send(api_for(owner), tracked(run.run_id), tracked("abc")) for run in (elsewhere, trashed)]

    assert [error(answer) for answer in answers] == [(409, "run_id_taken", "run_id")] * 2
    assert not Run.objects.filter(run_id="abc").exists()


def test_history_does_not_become_the_latest_of_an_experiment(api_for, owner, experiment):
    latest = factories.run(experiment, by=owner)
    Experiment.objects.filter(pk=experiment.pk).update(latest_run=latest, latest_submitted_at=latest.created_at)

    send(api_for(owner), tracked("abc"), experiment=experiment.name)

    experiment.refresh_from_db()
    assert (experiment.latest_run, experiment.latest_submitted_at) == (latest, latest.created_at)


def test_a_new_experiment_is_as_old_as_it_was(api_for, owner):
    early, late = tracked("early"), tracked("late", started_utc="2019-12-02T10:00:00Z")

    send(api_for(owner), late, early, created_utc="2019-11-01T00:00:00Z")

    experiment = Experiment.objects.get(name="history")
    assert experiment.created_at.month == 11
    assert (experiment.latest_run.run_id, experiment.latest_submitted_at.day) == ("late", 2)


def test_the_counts_are_those_of_the_rows(api_for, owner, stranger):
    api = api_for(owner)
    send(api, tracked("abc", params={"a": 1, "b": 2}, tags={"t": "x"}), tracked("def"))
    api.post("/runs/abc/metrics", {"points": [{"name": "m", "value": step} for step in range(3)]})
    api.put("/runs/abc/artifacts/model.bin", b"12345")

    counts = api.post("/imports/counts", {"run_ids": ["abc", "def", "nobody"]}).json()

    nothing = dict.fromkeys(counts, 0)
    assert counts == nothing | {"runs": 2, "params": 2, "tags": 1, "metrics": 1, "points": 3, "files": 1, "bytes": 5}
    assert api_for(stranger).post("/imports/counts", {"run_ids": ["abc"]}).json() == nothing


def test_many_runs_are_marked_at_once_or_none_is(api_for, owner):
    api = api_for(owner)
    send(api, tracked("abc"), tracked("def", properties={"done": "no"}))

    refused = api.post("/imports/properties", {"runs": {"abc": {"done": "yes"}, "def": {"done": "yes"}}})
    marked = api.post("/imports/properties", {"runs": {"abc": {"done": "yes"}, "def": {"files": 7}}})

    assert (refused.status_code, marked.status_code) == (409, 204)
    items = send(api, tracked("abc"), tracked("def")).json()["items"]
    assert [item["properties"] for item in items] == [{"done": "yes"}, {"done": "no", "files": "7"}]


def test_only_contributors_import_and_no_script_does(api_for, reader, stranger, owner, api_of, experiment):
    body = {"workspace": "default", "experiment": "history", "runs": [tracked("abc")]}
    script = factories.run(experiment, by=owner, status=RunStatus.RUNNING, attempt_number=1)

    answers = [api.post("/imports", body) for api in (api_for(reader), api_for(stranger), api_of(script))]

    assert [answer.status_code for answer in answers] == [403, 404, 403]
    assert not Run.objects.filter(run_id="abc").exists()


def test_more_runs_cost_no_more_queries(api_for, owner):
    api = api_for(owner)
    send(api, tracked("warm", tags={"a": "b"}))

    def ask(count):
        runs = [tracked(f"run-{count}-{number}", tags={"a": "b"}) for number in range(count)]
        with CaptureQueriesContext(connection) as captured:
            send(api, *runs)
        return len(captured)

    # More of them SQLite takes in several parts.
    assert ask(3) == ask(15)


def test_an_imported_run_can_be_archived(api_for, owner, noon):
    send(api_for(owner), tracked("abc"))

    run = archiving.archive(run=Run.objects.get(run_id="abc"), at=noon)

    assert run.archived_at == noon
