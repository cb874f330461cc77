"""Runs through the API: submitted, found, changed, ended."""

import pytest

from runs import limits
from runs.models import Run, RunEvent
from runs.status import RunStatus
from tests import factories
from tests.api.conftest import zipped

KEYS = [
    *(
        "run_id",
        "run_number",
        "experiment",
        "workspace",
        "display_name",
        "description",
        "status",
        "reason",
        "run_type",
        "parent_run_id",
    ),
    *(
        "root_run_id",
        "compute_target",
        "script",
        "arguments",
        "tags",
        "properties",
        "params",
        "metrics",
        "submitted_by",
        "created_utc",
    ),
    *("queued_utc", "start_time_utc", "end_time_utc", "exit_code", "error", "url"),
]


def error(answer):
    return answer.status_code, answer.json()["error"]["code"], answer.json()["error"]["field"]


def test_a_script_is_submitted_with_its_code(api_for, owner, local, code, settings):
    settings.STUDIO_URL = "https://studio.example"
    config = {
        "experiment": "diabetes",
        "script": "train.py",
        "arguments": ["--alpha", 0.5],
        "environment_variables": {"SEED": 7, "API_KEY": "hunter2"},
        "tags": {"quality": "good", "checked": None, "try": 1},
        "properties": {"author": "me"},
        "params": {"alpha": 0.5},
        "max_run_duration_seconds": 60,
    }

    answer = api_for(owner).submit(config, code)

    run = answer.json()
    assert answer.status_code == 201
    assert set(KEYS) <= set(run)
    assert (run["status"], run["run_number"], run["workspace"]) == ("Queued", 1, "default")
    assert (run["arguments"], run["params"]) == (["--alpha", "0.5"], {"alpha": "0.5"})
    assert run["tags"] == {"quality": "good", "checked": None, "try": "1"}
    assert run["environment_variables"] == {"SEED": "7", "API_KEY": "********"}
    assert run["run_id"].startswith("diabetes_")
    assert (run["root_run_id"], run["parent_run_id"]) == (run["run_id"], None)
    assert run["url"] == f"https://studio.example/runs/{run['run_id']}/"
    assert run["created_utc"].endswith("Z")
    assert Run.objects.get().environment_variables["API_KEY"] == "hunter2"


def test_what_git_knows_of_the_code_becomes_properties(api_for, owner, local):
    commit = "0123456789abcdef0123456789abcdef01234567"
    code = zipped(
        {
            "train.py": "",
            ".git/HEAD": "ref: refs/heads/main\n",
            ".git/refs/heads/main": commit + "\n",
            ".git/config": '[remote "origin"]\n\turl = https://me:secret@example.org/repo.git\n',
        }
    )

    run = api_for(owner).submit({"experiment": "e", "script": "train.py"}, code).json()

    assert run["properties"] == {
        "azureml.git.branch": "main",
        "azureml.git.commit": commit,
        "azureml.git.repository_uri": "https://example.org/repo.git",
    }


def test_uncommitted_changes_are_kept_and_go_with_a_resubmission(api_for, owner, stranger, local, code):
    patch = b"diff --git a/train.py b/train.py\n"
    config = {"experiment": "e", "script": "train.py", "compute_target": "local"}
    run = api_for(owner).submit(config, code, git_patch=patch).json()
    again = api_for(owner).post(f"/runs/{run['run_id']}/resubmit").json()

    assert b"".join(api_for(owner).get(f"/runs/{run['run_id']}/git-patch")) == patch
    assert b"".join(api_for(owner).get(f"/runs/{again['run_id']}/git-patch")) == patch
    assert api_for(stranger).get(f"/runs/{run['run_id']}/git-patch").status_code == 404


def test_a_patch_that_is_too_large_is_refused_and_leaves_no_run(api_for, owner, local, code):
    config = {"experiment": "e", "script": "train.py"}

    answer = api_for(owner).submit(config, code, git_patch=b"x" * (limits.GIT_PATCH_BYTES + 1))

    assert error(answer) == (422, "invalid", "git_patch")
    assert not Run.objects.exists()


def test_the_patch_of_an_interactive_run_is_set_once(api_for, owner, experiment):
    api = api_for(owner)
    address = f"/runs/{factories.run(experiment, by=owner).run_id}/git-patch"
    none = api.get(address).status_code
    first, same, other = [api.put(address, data) for data in (b"a", b"a", b"b")]

    assert (none, first.status_code, same.status_code) == (404, 204, 204)
    assert error(other) == (409, "has_git_patch", "git_patch")
    assert b"".join(api.get(address)) == b"a"


def test_the_same_request_again_is_the_same_run(api_for, owner, local, code):
    api = api_for(owner)
    config = {"experiment": "e", "script": "train.py"}

    first = api.submit(config, code, **{"Idempotency-Key": "k1"}).json()
    again = api.submit(config, code, **{"Idempotency-Key": "k1"}).json()
    other = api.submit({**config, "arguments": ["x"]}, code, **{"Idempotency-Key": "k1"})

    assert again["run_id"] == first["run_id"]
    assert error(other) == (409, "idempotency_conflict", "idempotency_key")
    assert Run.objects.count() == 1


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"script": "train.py"}, "experiment"),
        ({"experiment": "", "script": "train.py"}, "experiment"),
        ({"experiment": "e"}, "script"),
        ({"experiment": "e", "script": "train.py", "command": ["ls"]}, "script"),
        ({"experiment": "e", "script": "missing.py"}, "script"),
        ({"experiment": "e", "script": "../train.py"}, "script"),
        ({"experiment": "e", "script": "train.py", "compute_target": "moon"}, "compute_target"),
        ({"experiment": "e", "script": "train.py", "arguments": ["x"] * 1001}, "arguments"),
        ({"experiment": "e", "script": "train.py", "environment_variables": {"A=B": "1"}}, "environment_variables"),
        ({"experiment": "e", "script": "train.py", "max_run_duration_seconds": 0}, "max_run_duration_seconds"),
        ({"experiment": "e", "script": "train.py", "run_id": "../x"}, "run_id"),
        ({"experiment": "e", "script": "train.py", "requirements": "missing.txt"}, "requirements"),
        ({"experiment": "e", "script": "train.py", "nonsense": 1}, "nonsense"),
        ({"experiment": "e", "script": "train.py", "not_before": "0001-01-01T00:00:00+14:00"}, "not_before"),
        ({"experiment": "e", "script": "train.py", "tags": {"": "x"}}, "tags"),
    ],
)
def test_a_submission_that_makes_no_sense_is_refused_by_its_field(config, field, api_for, owner, local, code):
    answer = api_for(owner).submit(config, code)

    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == field
    assert not Run.objects.exists()


def test_a_disabled_target_and_an_unknown_parent_are_refused(api_for, owner, local, code):
    factories.compute_target("off", is_enabled=False)
    config = {"experiment": "e", "script": "train.py"}

    off = api_for(owner).submit({**config, "compute_target": "off"}, code)
    orphan = api_for(owner).submit({**config, "parent_run_id": "nobody"}, code)

    assert error(off) == (422, "invalid", "compute_target")
    assert error(orphan)[:2] == (404, "not_found")


def test_a_snapshot_that_is_no_zip_is_refused(api_for, owner, local):
    answer = api_for(owner).submit({"experiment": "e", "script": "train.py"}, b"no zip")

    assert error(answer) == (422, "bad_snapshot", "snapshot")


def test_an_interactive_run_lives_from_start_to_completion(api_for, owner):
    api = api_for(owner)

    run = api.post("/experiments/a~2Fb/interactive-runs", {"display_name": "mine", "tags": {"x": None}}).json()
    beat = api.post(f"/runs/{run['run_id']}/heartbeat")
    done = api.post(f"/runs/{run['run_id']}/complete").json()
    again = api.post(f"/runs/{run['run_id']}/complete")
    failed = api.post(f"/runs/{run['run_id']}/fail", {"error": "too late"})

    assert (run["experiment"], run["status"], run["run_type"]) == ("a/b", "Running", "interactive")
    assert (beat.status_code, done["status"], again.status_code) == (204, "Completed", 200)
    assert error(failed) == (409, "already_ended", "status")


def test_a_failed_run_says_why(api_for, owner):
    api = api_for(owner)
    run = api.post("/experiments/e/interactive-runs").json()

    failed = api.post(f"/runs/{run['run_id']}/fail", {"error": "the data are gone"}).json()

    assert (failed["status"], failed["error"]) == ("Failed", "the data are gone")


def test_a_queued_run_is_canceled_at_once_and_a_finished_one_is_not(api_for, owner, experiment, local):
    api = api_for(owner)
    queued = factories.run(experiment, by=owner, compute_target=local)

    canceled = api.post(f"/runs/{queued.run_id}/cancel", {"reason": "no longer needed"}).json()
    again = api.post(f"/runs/{queued.run_id}/cancel")

    assert (canceled["status"], canceled["reason"]) == ("Canceled", "no longer needed")
    assert canceled["cancel_requested_by"] == "olivia"
    assert error(again) == (409, "already_ended", "status")


def test_a_running_script_is_asked_to_stop(api_for, owner, experiment, local):
    run = factories.run(experiment, by=owner, status=RunStatus.RUNNING, compute_target=local)

    asked = api_for(owner).post(f"/runs/{run.run_id}/cancel", {"grace_seconds": 0}).json()

    assert asked["status"] == "CancelRequested"
    assert Run.objects.get().cancel_grace_seconds == 0


def test_a_resubmitted_run_is_a_new_one_like_the_old(api_for, owner, local, code):
    api = api_for(owner)
    config = {"experiment": "e", "script": "train.py", "arguments": ["--x", "1"], "tags": {"a": "b"}}
    first = api.submit(config, code).json()

    again = api.post(f"/runs/{first['run_id']}/resubmit").json()

    assert (again["run_number"], again["resubmitted_from"]) == (2, first["run_id"])
    same = ("script", "arguments", "tags", "snapshot_id", "compute_target")
    assert [again[key] for key in same] == [first[key] for key in same]


def test_tags_are_merged_and_taken_away(api_for, owner, experiment):
    api = api_for(owner)
    run = factories.run(experiment, by=owner)
    address = f"/runs/{run.run_id}"
    api.patch(address, {"tags": {"a": "1", "b": 2}})

    changed = api.patch(
        address, {"tags": {"b": None}, "remove_tags": ["a"], "description": "seen", "display_name": "Z"}
    )

    assert changed.json()["tags"] == {"b": None}
    assert (changed.json()["description"], changed.json()["display_name"]) == ("seen", "Z")


def test_a_property_is_written_once(api_for, owner, experiment):
    api = api_for(owner)
    run = factories.run(experiment, by=owner)
    address = f"/runs/{run.run_id}/properties"

    first = api.post(address, {"properties": {"author": "me"}})
    same = api.post(address, {"properties": {"author": "me", "more": 1}})
    other = api.post(address, {"properties": {"author": "you", "extra": "x"}})

    assert first.json()["properties"] == {"author": "me"}
    assert same.json()["properties"] == {"author": "me", "more": "1"}
    assert error(other) == (409, "property_is_write_once", "properties.author")
    assert "extra" not in api.get(f"/runs/{run.run_id}").json()["properties"]


def test_runs_are_found_by_query_and_paged(api_for, owner, experiment):
    api = api_for(owner)
    runs = [factories.run(experiment, by=owner, status=RunStatus.COMPLETED) for _ in range(5)]
    factories.run(experiment, by=owner, status=RunStatus.FAILED)
    factories.run(experiment, by=owner, status=RunStatus.COMPLETED, parent=runs[0])

    first = api.get("/runs", {"query": "status:completed", "limit": 3}).json()
    rest = api.get("/runs", {"query": "status:completed", "limit": 3, "cursor": first["next"]}).json()
    everything = api.get("/runs", {"include_children": True, "experiment": "explore-runs"}).json()

    found = [item["run_number"] for item in first["items"] + rest["items"]]
    assert (found, rest["next"]) == ([5, 4, 3, 2, 1], None)
    assert len(everything["items"]) == 7


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"query": "status:"}, "query"),
        ({"order": "secret"}, "order"),
        ({"cursor": "x"}, "cursor"),
        ({"limit": 501}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"query": "a\x00b"}, "query"),
    ],
)
def test_a_list_refuses_nonsense_by_its_field(params, field, api_for, owner, experiment):
    answer = api_for(owner).get("/runs", params)

    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)


def test_children_are_started_together_and_found_again(api_for, owner, experiment):
    api = api_for(owner)
    parent = api.post("/experiments/e/interactive-runs").json()
    address = f"/runs/{parent['run_id']}/children"

    by_count = api.post(address, {"count": 3})
    by_tag = api.post(address, {"tags": [{"fold": "a"}, {"fold": "b"}]}).json()["items"]
    grandchild = api.post(f"/runs/{by_tag[0]['run_id']}/children", {"children": [{"display_name": "g"}]}).json()

    assert by_count.status_code == 201
    assert [item["tags"] for item in by_count.json()["items"]] == [
        {"azureml.batch_child_number": str(number)} for number in range(3)
    ]
    assert {item["parent_run_id"] for item in by_tag} == {parent["run_id"]}
    assert grandchild["items"][0]["root_run_id"] == parent["run_id"]
    assert len(api.get(address).json()["items"]) == 5
    assert len(api.get(address, {"recursive": True}).json()["items"]) == 6
    assert len(api.get(f"/runs/{by_tag[0]['run_id']}/children", {"recursive": True}).json()["items"]) == 1
    assert [item["tags"] for item in api.get(address, {"query": "tags.fold:b"}).json()["items"]] == [{"fold": "b"}]


def test_children_are_started_once_though_the_answer_got_lost(api_for, owner, experiment):
    api = api_for(owner)
    parent = api.post("/experiments/explore-runs/interactive-runs").json()
    address, key = f"/runs/{parent['run_id']}/children", {"Idempotency-Key": "k1"}
    body = {"tags": [{"fold": "a"}, {"fold": "b"}]}

    first, again = api.post(address, body, **key), api.post(address, body, **key)
    other = api.post(address, {"count": 3}, **key)
    bad = api.post(address, body, **{"Idempotency-Key": "two words"})

    assert [run["tags"]["fold"] for run in first.json()["items"]] == ["a", "b"]
    assert again.json() == first.json()
    assert error(other) == (409, "idempotency_conflict", "idempotency_key")
    assert error(bad) == (422, "invalid", "idempotency_key")
    assert Run.objects.count() == 3


def test_an_interactive_run_is_started_once_though_the_answer_got_lost(api_for, owner):
    api, address = api_for(owner), "/experiments/first/interactive-runs"

    first, again = [api.post(address, {"display_name": "a"}, **{"Idempotency-Key": "k1"}) for _ in range(2)]

    assert (first.status_code, first.json()) == (201, again.json())
    assert Run.objects.count() == 1


def test_a_script_reports_an_error_and_runs_on(api_for, owner, experiment, local):
    run = factories.run(experiment, by=owner, status=RunStatus.RUNNING, compute_target=local)
    ended = factories.run(experiment, by=owner, status=RunStatus.COMPLETED, compute_target=local)

    reported = api_for(owner).post(f"/runs/{run.run_id}/error", {"error": "no data"}).json()
    refused = api_for(owner).post(f"/runs/{ended.run_id}/error", {"error": "too late"})

    assert (reported["status"], reported["error"]) == ("Running", "no data")
    assert error(refused) == (409, "already_ended", "status")


@pytest.mark.parametrize(
    ("agent", "door"), [("studio-sdk/1.0.0", "sdk"), ("studio-cli/1.0.0", "cli"), ("curl/8", "api"), ("", "api")]
)
def test_events_say_through_which_door_a_change_came(api_for, owner, agent, door):
    api, sent = api_for(owner), {"User-Agent": agent}

    run_id = api.post("/experiments/first/interactive-runs", **sent).json()["run_id"]
    api.post(f"/runs/{run_id}/children", {"count": 1}, **sent)
    api.post(f"/runs/{run_id}/complete", **sent)
    failed = api.post("/experiments/first/interactive-runs", **sent).json()["run_id"]
    api.post(f"/runs/{failed}/fail", **sent)
    canceled = api.post("/experiments/first/interactive-runs", **sent).json()["run_id"]
    api.post(f"/runs/{canceled}/cancel", **sent)

    assert set(RunEvent.objects.values_list("actor", flat=True)) == {door}


def test_children_need_one_way_to_describe_them(api_for, owner, experiment):
    run = factories.run(experiment, by=owner, status=RunStatus.RUNNING)

    both = api_for(owner).post(f"/runs/{run.run_id}/children", {"count": 1, "tags": []})
    none = api_for(owner).post(f"/runs/{run.run_id}/children", {})

    assert error(both) == error(none) == (422, "invalid", "count")


def test_events_say_who_and_why(api_for, owner, experiment):
    api = api_for(owner)
    run = factories.run(experiment, by=owner)
    api.post(f"/runs/{run.run_id}/cancel")

    events = api.get(f"/runs/{run.run_id}/events").json()["items"]

    assert [event["to_status"] for event in events] == ["Queued", "CancelRequested", "Canceled"]
    assert (events[1]["by"], events[1]["reason"], events[1]["actor"]) == ("olivia", "Canceled by olivia.", "api")
    assert len(events) == RunEvent.objects.count()


def test_an_ended_run_is_archived_and_restored(api_for, owner, experiment):
    api = api_for(owner)
    ended = factories.run(experiment, by=owner, status=RunStatus.COMPLETED)
    active = factories.run(experiment, by=owner, status=RunStatus.RUNNING)

    archived = api.post(f"/runs/{ended.run_id}/archive").json()
    refused = api.post(f"/runs/{active.run_id}/archive")
    listed = api.get("/runs").json()["items"]
    restored = api.post(f"/runs/{ended.run_id}/restore").json()

    assert archived["archived_utc"] is not None
    assert restored["archived_utc"] is None
    assert error(refused)[:2] == (409, "still_active")
    assert [item["run_id"] for item in listed] == [active.run_id]
