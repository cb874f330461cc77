"""Published pipelines and schedules over HTTP."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs.models import PipelineRun, PublishedPipeline, Schedule
from tests import factories

DEFINITION = {
    "name": "nightly",
    "parameters": {"seed": {"type": "integer", "default": 7}},
    "steps": {"hello": {"command": ["echo", "${{ parameters.seed }}"]}},
}


@pytest.fixture
def api(api_for, team_mate, local):
    return api_for(team_mate)


@pytest.fixture
def published(api):
    answer = api.post("/published-pipelines", {"definition": DEFINITION, "label": "1.0"})
    assert answer.status_code == 201, answer.content
    return answer.json()


def error(answer):
    body = answer.json()["error"]
    return answer.status_code, body["code"], body["field"]


def test_published_and_found_again(api, published):
    shown = api.get(f"/published-pipelines/{published['id']}").json()

    assert shown == published == api.get("/published-pipelines").json()["items"][0]
    assert (shown["name"], shown["version"], shown["label"], shown["is_enabled"]) == ("nightly", 1, "1.0", True)
    assert shown["endpoint"].endswith(f"/api/v1/published-pipelines/{published['id']}/runs")


def test_its_address_takes_the_words_of_azure_ml(api, published):
    body = {
        "ExperimentName": "from-rest",
        "ParameterAssignments": {"seed": 11},
        "Tags": {"by": "curl"},
        "Description": "a call",
        "RunSource": "SDK",
    }

    answer = api.post(f"/published-pipelines/{published['id']}/runs", body)

    run = answer.json()
    assert answer.status_code == 201, run
    assert (run["Id"], run["experiment"], run["tags"], run["description"]) == (
        run["run_id"],
        "from-rest",
        {"by": "curl"},
        "a call",
    )
    assert PipelineRun.objects.get(run__run_id=run["run_id"]).parameters == {"seed": 11}


def test_its_address_takes_our_words_and_the_same_key_makes_one_run(api, published):
    path, body = f"/published-pipelines/{published['id']}/runs", {"experiment": "e", "parameters": {"seed": "3"}}

    first, again = (api.post(path, body, **{"Idempotency-Key": "one"}) for _ in range(2))

    assert first.json()["run_id"] == again.json()["run_id"]
    assert PipelineRun.objects.get().parameters == {"seed": 3}


def test_the_name_runs_the_newest_enabled_version(api, published):
    newer = api.post("/published-pipelines", {"definition": DEFINITION}).json()
    path = newer["endpoint_of_newest"].partition("/api/v1")[2]

    with_newer = api.post(path, {"experiment": "e"}).json()
    api.post(f"/published-pipelines/{newer['id']}/disable")
    with_older = api.post(path, {"experiment": "e"}).json()
    api.post(f"/published-pipelines/{published['id']}/disable")

    versions = [run["properties"]["azureml.pipelineversion"] for run in (with_newer, with_older)]
    assert versions == ["2", "1"]
    assert error(api.post(path, {"experiment": "e"})) == (409, "pipeline_is_disabled", "name")
    assert api.get("/published-pipelines").json()["items"] == []
    assert len(api.get("/published-pipelines", {"view": "disabled"}).json()["items"]) == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "ExperimentName"),
        ({"experiment": "e", "parameters": {"sead": 1}}, "parameters.sead"),
        ({"experiment": "e", "parameters": {"seed": "x"}}, "parameters.seed"),
        ({"experiment": "e", "Parameters": {}}, "Parameters"),
    ],
)
def test_what_a_run_cannot_be_given_is_refused_by_its_name(api, published, body, field):
    status, _, named = error(api.post(f"/published-pipelines/{published['id']}/runs", body))

    assert status == 422
    assert named in (field, field.replace("ExperimentName", "experiment"))


def test_a_definition_with_problems_is_refused_with_all_of_them(api):
    yaml = "name: x\nsteps:\n  a: {command: [a], depends_on: [b]}\n  b: {command: [b], depends_on: [a, c]}\n"

    answer = api.post("/published-pipelines", {"yaml": yaml})

    assert error(answer)[:2] == (422, "bad_pipeline")
    assert "line 4" in answer.json()["error"]["message"]


def test_one_who_may_only_look_sees_and_changes_nothing(api_for, reader, stranger, published):
    path = f"/published-pipelines/{published['id']}"

    assert api_for(reader).get(path).status_code == 200
    assert [api_for(reader).post(path + verb, {"experiment": "e"}).status_code for verb in ("/runs", "/disable")] == [
        403,
        403,
    ]
    assert api_for(reader).post("/published-pipelines", {"definition": DEFINITION}).status_code == 403
    assert api_for(stranger).get(path).status_code == 404
    assert api_for(stranger).post(path + "/runs", {"experiment": "e"}).status_code == 404
    assert api_for(stranger).get("/published-pipelines").json()["items"] == []


def test_the_token_of_a_run_opens_none_of_it(api_of, experiment, owner, local, published):
    own = api_of(factories.run(experiment, by=owner, compute_target=local, attempt_number=1))

    answers = [
        own.get(f"/published-pipelines/{published['id']}"),
        own.post(f"/published-pipelines/{published['id']}/runs", {"experiment": "e"}),
        own.post("/schedules", {"name": "x", "pipeline_id": published["id"], "experiment": "e", "cron": "* * * * *"}),
    ]

    assert {answer.status_code for answer in answers} <= {401, 403}


def test_a_list_asks_as_much_for_thirty_as_for_three(api, workspace, owner, django_assert_num_queries):
    def fill(count, name):
        [factories.published_pipeline(workspace, by=owner, name=f"{name}{number}") for number in range(count)]

    fill(3, "few")
    api.get("/published-pipelines")

    with CaptureQueriesContext(connection) as for_three:
        api.get("/published-pipelines")
    fill(27, "many")
    with django_assert_num_queries(len(for_three)):
        assert len(api.get("/published-pipelines").json()["items"]) == 30


# --- Schedules ---------------------------------------------------------------------------


@pytest.fixture
def scheduled(api, published):
    body = {
        "name": "every morning",
        "pipeline_id": published["id"],
        "experiment": "nightly",
        "cron": "30 6 * * MON-FRI",
        "time_zone": "Europe/Rome",
        "parameters": {"seed": 5},
    }
    answer = api.post("/schedules", body)
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_a_schedule_is_made_paused_resumed_changed_and_removed(api, scheduled):
    path = f"/schedules/{scheduled['id']}"

    paused, resumed = api.post(path + "/pause").json(), api.post(path + "/resume").json()
    changed = api.patch(path, {"recurrence": {"frequency": "Week", "week_days": ["Monday"]}}).json()
    removed = api.send("DELETE", path)

    assert (scheduled["status"], paused["status"], paused["next_utc"]) == ("Active", "Paused", None)
    assert resumed == scheduled
    assert (changed["cron"], changed["recurrence"]["week_days"], changed["parameters"]) == ("", ["Monday"], {"seed": 5})
    assert (removed.status_code, api.get(path).status_code) == (204, 404)


def test_a_schedule_for_a_name_takes_the_newest_version(api, published):
    body = {"name": "x", "pipeline": "nightly", "experiment": "e", "recurrence": {"frequency": "Hour", "interval": 6}}

    made = api.post("/schedules", body).json()

    assert (made["pipeline_id"], made["pipeline_version"]) == (published["id"], 1)


def test_what_became_of_its_times_is_listed(api, scheduled):
    schedule = Schedule.objects.get()
    schedule.ticks.create(at=factories.NOON, outcome="refused", reason="no", created_at=factories.NOON)

    ticks = api.get(f"/schedules/{scheduled['id']}/ticks").json()["items"]

    assert ticks == [{"at_utc": "2026-11-23T12:00:00Z", "outcome": "refused", "reason": "no", "run_id": None}]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"cron": "every day"}, "cron"),
        ({"time_zone": "Mars"}, "time_zone"),
        ({"parameters": {"x": 1}}, "parameters.x"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "ends_at"),
        ({"pipeline": "nightly"}, "pipeline_id"),
        ({"every": "day"}, "every"),
    ],
)
def test_what_is_no_schedule_is_refused_by_its_field(api, published, changes, field):
    body = {"name": "x", "pipeline_id": published["id"], "experiment": "e", "cron": "* * * * *"}

    assert error(api.post("/schedules", {**body, **changes}))[::2] == (422, field)


def test_schedules_are_for_those_who_may_submit(api_for, reader, stranger, scheduled):
    path = f"/schedules/{scheduled['id']}"

    assert (api_for(reader).get(path).status_code, api_for(stranger).get(path).status_code) == (200, 404)
    assert api_for(reader).post(path + "/pause").status_code == 403
    assert api_for(reader).send("DELETE", path).status_code == 403
    assert PublishedPipeline.objects.count() == 1
