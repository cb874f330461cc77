"""Who may ask for what: every operation, for every kind of caller. A new one fails until it stands here."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from runs import storage
from runs.actions import git_patches, pipeline_submission, recording, snapshots, tokens
from runs.api.v1.api import api
from runs.models import ApiToken, Attempt, RunType
from runs.pipelines import definition
from runs.status import RunStatus
from tests import factories
from tests.api.conftest import Api, named, zipped

# What these get: owner, team mate, reader, stranger, the token of another run. Nobody gets 401 everywhere.
SEES = (200, 200, 200, 404, 404)
OWN = (200, 200, 200, 200, 200)
WRITES = (200, 200, 403, 404, 404)
MAKES = (201, 201, 403, 404, 404)
# What is no run's own takes no run token.
PERSONS_SEE = (200, 200, 200, 404, 403)
PERSONS_WRITE = (200, 200, 403, 404, 403)
PERSONS_MAKE = (201, 201, 403, 404, 403)

PIPELINE = {"name": "nightly", "steps": {"hello": {"command": ["echo", "hello"]}}}
NAMED = {"ExperimentName": "explore-runs"}

# Each operation: an address, a body, what the callers get, what the run's own token gets.
OPERATIONS = {
    "GET /me": ("/me", None, OWN, 200),
    "GET /workspaces": ("/workspaces", None, OWN, 200),
    "GET /compute-targets": ("/compute-targets", None, OWN, 200),
    "GET /workers": ("/workers", None, (200, 200, 200, 200, 403), 403),
    "GET /experiments": ("/experiments?workspace=default", None, (200, 200, 200, 404, 200), 200),
    "POST /experiments": ("/experiments", {"name": "n", "workspace": "default"}, PERSONS_WRITE, 403),
    "GET /experiments/{name}": ("/experiments/explore-runs?workspace=default", None, (200, 200, 200, 404, 404), 200),
    "PATCH /experiments/{name}": ("/experiments/explore-runs?workspace=default", {}, PERSONS_WRITE, 403),
    "POST /experiments/{name}/archive": (
        "/experiments/explore-runs/archive?workspace=default",
        {},
        PERSONS_WRITE,
        403,
    ),
    "POST /experiments/{name}/restore": (
        "/experiments/explore-runs/restore?workspace=default",
        {},
        PERSONS_WRITE,
        403,
    ),
    "POST /experiments/{name}/interactive-runs": (
        "/experiments/explore-runs/interactive-runs",
        {"workspace": "default"},
        PERSONS_MAKE,
        403,
    ),
    "POST /runs": ("/runs", "submission", PERSONS_MAKE, 403),
    "GET /runs": ("/runs?workspace=default", None, (200, 200, 200, 404, 200), 200),
    "GET /runs/{run_id}": ("/runs/{script}", None, SEES, 200),
    "PATCH /runs/{run_id}": ("/runs/{script}", {"tags": {"a": "b"}}, WRITES, 200),
    "POST /runs/{run_id}/properties": ("/runs/{script}/properties", {"properties": {"a": "b"}}, WRITES, 200),
    "POST /runs/{run_id}/params": ("/runs/{script}/params", {"params": {"a": 1}}, WRITES, 200),
    "POST /runs/{run_id}/heartbeat": ("/runs/{script}/heartbeat", {}, (204, 204, 403, 404, 404), 204),
    "POST /runs/{run_id}/waiting": (
        "/runs/{script}/waiting",
        {"waits_for": "interactive", "seconds": 5},
        (403, 403, 403, 404, 404),
        200,
    ),
    "DELETE /runs/{run_id}/waiting": ("/runs/{script}/waiting", {}, (403, 403, 403, 404, 404), 204),
    "POST /runs/{run_id}/complete": ("/runs/{interactive}/complete", {}, WRITES, 200),
    "POST /runs/{run_id}/fail": ("/runs/{script}/fail", {}, WRITES, 200),
    "POST /runs/{run_id}/error": ("/runs/{script}/error", {"error": "no data"}, WRITES, 200),
    "POST /runs/{run_id}/cancel": ("/runs/{script}/cancel", {}, WRITES, 200),
    "POST /runs/{run_id}/resubmit": ("/runs/{script}/resubmit", {}, PERSONS_MAKE, 403),
    "POST /runs/{run_id}/archive": ("/runs/{ended}/archive", {}, PERSONS_WRITE, 403),
    "POST /runs/{run_id}/restore": ("/runs/{ended}/restore", {}, PERSONS_WRITE, 403),
    "GET /runs/{run_id}/children": ("/runs/{script}/children", None, SEES, 200),
    "POST /runs/{run_id}/children": ("/runs/{script}/children", {"count": 1}, MAKES, 201),
    "GET /runs/{run_id}/events": ("/runs/{script}/events", None, SEES, 200),
    "POST /runs/{run_id}/metrics": ("/runs/{script}/metrics", {"points": [{"name": "x", "value": 1}]}, WRITES, 200),
    "GET /runs/{run_id}/metrics": ("/runs/{script}/metrics", None, SEES, 200),
    "GET /runs/{run_id}/metrics/{name}": ("/runs/{script}/metrics/loss", None, SEES, 200),
    "GET /runs/{run_id}/logs": ("/runs/{script}/logs", None, SEES, 200),
    "GET /runs/{run_id}/logs/{name}": ("/runs/{script}/logs/user_logs/std_log.txt", None, SEES, 200),
    "GET /runs/{run_id}/artifacts": ("/runs/{script}/artifacts", None, SEES, 200),
    "GET /runs/{run_id}/artifacts/{path}": ("/runs/{script}/artifacts/outputs/x", None, SEES, 200),
    "PUT /runs/{run_id}/artifacts/{path}": ("/runs/{script}/artifacts/outputs/y", b"bytes", MAKES, 201),
    "GET /runs/{run_id}/snapshot": ("/runs/{script}/snapshot", None, SEES, 200),
    "PUT /runs/{run_id}/snapshot": ("/runs/{interactive}/snapshot", "zip", MAKES, 201),
    "GET /runs/{run_id}/git-patch": ("/runs/{script}/git-patch", None, SEES, 200),
    "PUT /runs/{run_id}/git-patch": ("/runs/{interactive}/git-patch", b"diff", (204, 204, 403, 404, 404), 204),
    "POST /imports": ("/imports", {"workspace": "default", "experiment": "moved", "runs": []}, PERSONS_WRITE, 403),
    "POST /imports/properties": (
        "/imports/properties",
        {"runs": {"interactive": {"a": "b"}}},
        (204, 204, 403, 404, 404),
        204,
    ),
    # Counts of what one may not see are zero.
    "POST /imports/counts": ("/imports/counts", {"run_ids": ["interactive"]}, OWN, 200),
    # A run stores the code of its children.
    "POST /snapshots": ("/snapshots?workspace=default", "zip", (201, 201, 403, 404, 201), 201),
    "GET /pipelines/schema.json": ("/pipelines/schema.json", None, OWN, 200),
    "POST /pipelines/validate": ("/pipelines/validate", {"definition": PIPELINE}, OWN, 200),
    "POST /pipelines/runs": (
        "/pipelines/runs",
        {"definition": PIPELINE, "experiment": "explore-runs", "workspace": "default"},
        PERSONS_MAKE,
        403,
    ),
    "GET /pipelines/runs/{run_id}": ("/pipelines/runs/{pipeline}", None, SEES, 404),
    "POST /pipelines/runs/{run_id}/resume": ("/pipelines/runs/{pipeline}/resume", {}, (409, 409, 403, 404, 403), 403),
    "GET /published-pipelines": ("/published-pipelines?workspace=default", None, (200, 200, 200, 404, 200), 200),
    "POST /published-pipelines": (
        "/published-pipelines",
        {"definition": PIPELINE, "workspace": "default"},
        PERSONS_MAKE,
        403,
    ),
    "GET /published-pipelines/{pipeline_id}": ("/published-pipelines/{published}", None, PERSONS_SEE, 403),
    "POST /published-pipelines/{pipeline_id}/enable": (
        "/published-pipelines/{published}/enable",
        {},
        PERSONS_WRITE,
        403,
    ),
    "POST /published-pipelines/{pipeline_id}/disable": (
        "/published-pipelines/{published}/disable",
        {},
        PERSONS_WRITE,
        403,
    ),
    "POST /published-pipelines/{pipeline_id}/runs": ("/published-pipelines/{published}/runs", NAMED, PERSONS_MAKE, 403),
    "POST /pipeline-endpoints/{name}/runs": (
        "/pipeline-endpoints/nightly/runs?workspace=default",
        NAMED,
        PERSONS_MAKE,
        403,
    ),
    "GET /schedules": ("/schedules?workspace=default", None, (200, 200, 200, 404, 200), 200),
    "POST /schedules": (
        "/schedules",
        {"pipeline_id": "{published}", "name": "daily", "experiment": "explore-runs", "cron": "0 3 * * *"},
        PERSONS_MAKE,
        403,
    ),
    "GET /schedules/{schedule_id}": ("/schedules/{schedule}", None, PERSONS_SEE, 403),
    "PATCH /schedules/{schedule_id}": ("/schedules/{schedule}", {}, PERSONS_WRITE, 403),
    "DELETE /schedules/{schedule_id}": ("/schedules/{schedule}", {}, (204, 204, 403, 404, 403), 403),
    "POST /schedules/{schedule_id}/pause": ("/schedules/{schedule}/pause", {}, PERSONS_WRITE, 403),
    "POST /schedules/{schedule_id}/resume": ("/schedules/{schedule}/resume", {}, PERSONS_WRITE, 403),
    "GET /schedules/{schedule_id}/ticks": ("/schedules/{schedule}/ticks", None, PERSONS_SEE, 403),
}
# Asked by whoever has no token yet, with a code that a signed-in person handed over.
OPEN = {"POST /login"}


@pytest.fixture
def runs(experiment, owner, workspace, local, noon, settings, tmp_path, code):
    """The runs that the addresses name; the interactive and the ended one are children of the script's."""
    settings.STUDIO_HOME = tmp_path
    snapshot = snapshots.store_zip(workspace=workspace, source=named(code, "x"), at=noon)
    script = factories.run(
        experiment,
        by=owner,
        status=RunStatus.RUNNING,
        compute_target=local,
        snapshot=snapshot,
        attempt_number=1,
    )
    below = {"by": owner, "parent": script, "run_type": RunType.INTERACTIVE}
    interactive = factories.run(experiment, status=RunStatus.RUNNING, run_id="interactive", **below)
    ended = factories.run(experiment, status=RunStatus.COMPLETED, **below)
    recording.log_metrics(run=script, points=[recording.Point("loss", value=1)], at=noon)
    recording.save_artifact(run=script, path="outputs/x", chunks=[b"1"], at=noon)
    git_patches.keep(run=script, data=b"diff")
    storage.append_log(script.pk, "user_logs/std_log.txt", b"hello\n", offset=0)
    pipeline = pipeline_submission.submit(
        experiment=experiment, definition=definition.from_document(PIPELINE), by=owner, at=noon
    )
    return {"script": script, "interactive": interactive, "ended": ended, "pipeline": pipeline}


@pytest.fixture
def ids(runs, workspace, owner):
    """What stands for the names in addresses."""
    published = factories.published_pipeline(workspace, by=owner)
    schedule = factories.schedule(published, by=owner)
    own = {"published": published.pipeline_id, "schedule": schedule.schedule_id}
    return {name: run.run_id for name, run in runs.items()} | own


@pytest.fixture
def other_run(workspace, team_mate):
    """A run of somebody else, in another experiment of the workspace."""
    return factories.run(
        factories.experiment(workspace, "other"), by=team_mate, status=RunStatus.RUNNING, attempt_number=1
    )


def ask(caller: Api, operation, ids):
    method = operation.split()[0]
    address, body, *_ = OPERATIONS[operation]
    address = address.format(**ids)
    if isinstance(body, dict) and "pipeline_id" in body:
        body = body | {"pipeline_id": ids["published"]}
    with transaction.atomic():
        answer = _sent(caller, method, address, body)
        b"".join(answer)  # a file is read to its end, and closed
        transaction.set_rollback(True)  # the next caller finds what this one found
    return answer


def _sent(caller, method, address, body):
    if body == "submission":
        return caller.submit(
            {"experiment": "explore-runs", "workspace": "default", "script": "a.py"}, zipped({"a.py": ""})
        )
    if method == "POST" and body == "zip":
        return caller.send_bytes(address, zipped({"a.py": ""}))
    if method == "PUT":
        return caller.put(address, zipped({"a.py": ""}) if body == "zip" else body)
    return caller.get(address) if method == "GET" else caller.send(method, address, body)


def test_every_operation_is_classified():
    paths = api.get_openapi_schema(path_prefix="")["paths"]

    assert {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods} == {*OPERATIONS, *OPEN}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_answers_each_caller_as_it_should(
    operation, runs, ids, other_run, owner, team_mate, reader, stranger, api_for, api_of
):
    callers = [*map(api_for, (owner, team_mate, reader, stranger)), api_of(other_run), api_of(runs["script"])]

    answers = [ask(caller, operation, ids).status_code for caller in callers]

    _, _, expected, of_own_token = OPERATIONS[operation]
    assert answers == [*expected, of_own_token]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_refuses_whoever_has_no_good_token_and_a_session_is_none(operation, ids, nobody, owner):
    with_session = Api()
    with_session.client.force_login(owner)

    answers = [ask(caller, operation, ids) for caller in (nobody, Api("stu_wrong"), Api("\x7f"), with_session)]

    assert [answer.status_code for answer in answers] == [401] * 4
    assert answers[0].json()["error"]["code"] == "unauthorized"
    assert answers[0]["WWW-Authenticate"].startswith("Bearer")


def test_a_run_token_submits_children_of_its_run_only(runs, other_run, api_of, local):
    api = api_of(runs["script"])
    config = {"experiment": "explore-runs", "script": "a.py"}
    code = zipped({"a.py": ""})

    mine = api.submit({**config, "parent_run_id": runs["script"].run_id}, code)
    below = api.submit({**config, "parent_run_id": runs["interactive"].run_id}, code)
    foreign = api.submit({**config, "parent_run_id": other_run.run_id}, code)

    assert (mine.status_code, below.status_code, foreign.status_code) == (201, 201, 404)


def test_a_run_token_reads_its_tree_and_writes_below_itself(runs, other_run, api_of, experiment, owner):
    child, sibling, root = runs["interactive"], runs["ended"], runs["script"]
    api = api_of(child)

    read = [api.get(f"/runs/{run.run_id}").status_code for run in (root, sibling, child, other_run)]
    written = [api.patch(f"/runs/{run.run_id}", {}).status_code for run in (root, sibling, child, other_run)]
    listed = api.get("/runs", {"include_children": True}).json()["items"]

    assert read == [200, 200, 200, 404]
    assert written == [403, 403, 200, 404]
    assert {item["run_id"] for item in listed} == {run.run_id for run in (root, sibling, child)}


def test_a_run_token_dies_with_its_attempt(runs, local, api_of):
    script = runs["script"]
    api = api_of(script)
    attempt = Attempt.objects.create(
        run=script,
        number=1,
        compute_target=local,
        host="h",
        boot_id="b",
        cookie="c",
        claimed_at=timezone.now(),
        lease_until=timezone.now(),
    )

    def status_when_ended(**ago):
        Attempt.objects.filter(pk=attempt.pk).update(ended_at=timezone.now() - timedelta(**ago))
        return api.get(f"/runs/{script.run_id}").status_code

    assert [status_when_ended(minutes=4), status_when_ended(minutes=6)] == [200, 401]


def test_a_newer_attempt_shuts_out_the_token_of_the_one_before(runs, api_of):
    script = runs["script"]
    api = api_of(script)
    script.attempt_number = 2
    script.save(update_fields=["attempt_number"])

    answer = api.post(f"/runs/{script.run_id}/metrics", {"points": []})

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "stale_attempt")


def test_a_deactivated_user_and_a_revoked_or_old_token_are_refused(owner, api_for, experiment):
    revoked, old, deactivated = api_for(owner), api_for(owner), api_for(owner)
    first, second, _ = ApiToken.objects.order_by("id")
    tokens.revoke(token=first, at=timezone.now())
    ApiToken.objects.filter(pk=second.pk).update(expires_at=timezone.now())

    answers = [revoked.get("/me").status_code, old.get("/me").status_code, deactivated.get("/me").status_code]
    owner.is_active = False
    owner.save(update_fields=["is_active"])

    assert [*answers, deactivated.get("/me").status_code] == [401, 401, 200, 401]


def test_a_member_who_left_sees_nothing_any_more(team_mate, experiment, owner, api_for, workspace):
    run = factories.run(experiment, by=owner)
    api = api_for(team_mate)
    workspace.memberships.filter(user=team_mate).delete()

    assert api.get(f"/runs/{run.run_id}").status_code == 404
    assert api.get("/runs").status_code == 404


def test_the_documentation_is_for_everybody_and_comes_from_here(db):
    page = Client().get("/api/v1/docs")
    schema = Client().get("/api/v1/openapi.json")

    assert (page.status_code, schema.status_code) == (200, 200)
    assert b"swagger-ui-bundle.js" in page.content
    assert schema.json()["openapi"].startswith("3.")
