"""Pipelines through the API: checked, submitted, shown, resumed."""

import pytest

from runs.models import Run
from runs.status import RunStatus
from tests import factories
from tests.runs.pipelines.driving import end, step, submit

YAML = """\
name: penguins
parameters: {seed: {type: integer, default: 7}}
steps:
  prepare: {command: [true], outputs: [table], arguments: ["${{ parameters.seed }}"]}
  train: {command: [true], inputs: {table: "${{ steps.prepare.outputs.table }}"}}
"""


@pytest.fixture(autouse=True)
def _local(local):
    """There is a compute target."""


def test_a_pipeline_is_checked_without_being_run(api_for, owner):
    answer = api_for(owner).post("/pipelines/validate", {"yaml": YAML})

    assert answer.status_code == 200
    assert list(answer.json()["definition"]["steps"]) == ["prepare", "train"]
    assert "name: penguins" in answer.json()["yaml"]
    assert Run.objects.count() == 0


def test_all_problems_come_with_their_lines(api_for, owner):
    wrong = YAML.replace("outputs.table", "outputs.tabel").replace("command: [true], inputs", "comand: [true], inputs")

    answer = api_for(owner).post("/pipelines/validate", {"yaml": wrong})

    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["code"], error["field"]) == ("bad_pipeline", "steps.train.comand")
    assert error["problems"] == [
        {
            "step": "train",
            "line": 5,
            "field": "comand",
            "message": "There is no field 'comand'; did you mean 'command'?",
        }
    ]


def test_a_pipeline_is_submitted_and_shown_with_its_steps(api_for, owner):
    api = api_for(owner)
    body = {"yaml": YAML, "experiment": "birds", "parameters": {"seed": "8"}, "tags": {"a": "b"}}

    made = api.post("/pipelines/runs", body, **{"Idempotency-Key": "k"})
    again = api.post("/pipelines/runs", body, **{"Idempotency-Key": "k"})
    shown = api.get(f"/pipelines/runs/{made.json()['run_id']}").json()

    assert made.status_code == 201
    assert again.json()["run_id"] == made.json()["run_id"]
    assert (shown["status"], shown["run_type"], shown["display_name"]) == ("Running", "pipeline", "penguins")
    assert shown["parameters"] == {"seed": 8}
    assert shown["params"] == {"seed": "8"}
    assert [(each["name"], each["status"], each["depends_on"]) for each in shown["steps"]] == [
        ("prepare", "Queued", []),
        ("train", "NotStarted", ["prepare"]),
    ]
    first = api.get(f"/runs/{shown['steps'][0]['run_id']}").json()
    assert (first["arguments"], first["run_type"], first["parent_run_id"]) == (["8"], "step", shown["run_id"])


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"parameters": {"sed": 1}}, "parameters.sed", "did you mean 'seed'?"),
        ({"parameters": {"seed": "x"}}, "parameters.seed", "is no integer; expected a whole number"),
        ({"default_compute_target": "nowhere"}, "steps.prepare.compute_target", "There is no compute target"),
        ({"definition": {}}, "definition", "either a definition or its yaml"),
        ({"yaml": "name: x\nsteps: {a: {script: a.py, snapshot: nope}}"}, "steps.a.snapshot", "no snapshot 'nope'"),
        ({"yaml": "name: x\nsteps: {a: {script: a.py, source: .}}"}, "steps.a.source", "was not uploaded"),
        (
            {"yaml": "name: x\nparameters: {p: {type: string}}\nsteps: {a: {command: [x]}}"},
            "parameters.p",
            "has no default",
        ),
    ],
)
def test_what_cannot_run_is_refused_and_leaves_nothing(api_for, owner, change, field, words):
    answer = api_for(owner).post("/pipelines/runs", {"yaml": YAML, "experiment": "birds", **change})

    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == field
    assert words in answer.json()["error"]["message"]
    assert Run.objects.count() == 0


def test_a_failed_pipeline_is_resumed_from_the_failed_step(api_for, owner, experiment):
    run = submit(experiment, owner, {"a": {"allow_reuse": False}, "b": ["a"]})
    api = api_for(owner)
    early = api.post(f"/pipelines/runs/{run.run_id}/resume")
    end(step(run, "a"))
    lifecycle_to_failure(run)

    resumed = api.post(f"/pipelines/runs/{run.run_id}/resume").json()

    assert early.json()["error"]["code"] == "not_ended"
    assert resumed["resumed_from"] == run.run_id
    assert [(each["status"], each["reused_from"]) for each in resumed["steps"]] == [
        ("Completed", step(run, "a").run_id),
        ("Queued", None),
    ]


def lifecycle_to_failure(run: Run) -> None:
    from runs.pipelines import schedule

    schedule.advance(run_pk=run.pk, at=factories.NOON)
    end(step(run, "b"), RunStatus.FAILED)
    schedule.advance(run_pk=run.pk, at=factories.NOON)


def test_a_pipeline_is_resubmitted_as_it_was(api_for, owner, experiment):
    run = submit(experiment, owner, {"a": []}, tags={"x": "y"}, display_name="mine")

    again = api_for(owner).post(f"/runs/{run.run_id}/resubmit").json()

    assert (again["run_type"], again["resubmitted_from"]) == ("pipeline", run.run_id)
    assert (again["tags"], again["display_name"]) == ({"x": "y"}, "mine")


def test_a_pipeline_is_neither_completed_nor_failed_by_hand(api_for, owner, experiment):
    run = submit(experiment, owner, {"a": []})

    answers = [api_for(owner).post(f"/runs/{run.run_id}/{verb}") for verb in ("complete", "fail")]

    assert [answer.json()["error"]["code"] for answer in answers] == ["driven_by_its_steps"] * 2


def test_other_runs_are_no_pipelines(api_for, owner, experiment):
    run = factories.run(experiment, by=owner)

    assert api_for(owner).get(f"/pipelines/runs/{run.run_id}").json()["error"]["code"] == "no_pipeline"


def test_a_reader_looks_and_a_stranger_does_not(api_for, owner, reader, stranger, experiment):
    run = submit(experiment, owner, {"a": []})

    assert api_for(reader).get(f"/pipelines/runs/{run.run_id}").status_code == 200
    assert api_for(reader).post("/pipelines/runs", {"yaml": YAML, "experiment": "x"}).status_code == 403
    assert api_for(stranger).get(f"/pipelines/runs/{run.run_id}").status_code == 404


def test_the_schema_is_published(api_for, owner):
    assert api_for(owner).get("/pipelines/schema.json").json()["required"] == ["name", "steps"]
