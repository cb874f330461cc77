"""Pipelines from Python and from a shell, on a real worker."""

import json
import re
import shutil
from pathlib import Path

import pytest

from runs.models import ComputeTarget
from studio_sdk.core import Experiment, Run
from studio_sdk.exceptions import ActivityFailedException, NotAvailable, ServiceException, UserErrorException
from studio_sdk.pipeline.core import (
    Pipeline,
    PipelineData,
    PipelineEndpoint,
    PipelineParameter,
    PipelineRun,
    PublishedPipeline,
    Schedule,
    ScheduleRecurrence,
)
from studio_sdk.pipeline.steps import CommandStep, PythonScriptStep

FILES = Path(__file__).parent / "pipeline"
SCORES = [{"power": 1, "score": 315}, {"power": 2, "score": 13965}, {"power": 3, "score": 694575}]

pytestmark = pytest.mark.process


@pytest.fixture
def files(folder) -> Path:
    """The folder of a pipeline, in which the test stands."""
    shutil.copytree(FILES, folder, dirs_exist_ok=True)
    return folder


def built(workspace) -> Pipeline:
    """The pipeline of pipeline.yml, built in Python."""
    seed, powers = PipelineParameter("seed", 7), PipelineParameter("powers", [1, 2, 3])
    table, model, result = PipelineData("table"), PipelineData("model"), PipelineData("result")
    PythonScriptStep("prepare.py", name="prepare", arguments=["--seed", seed, "--out", table], outputs=[table])
    PythonScriptStep(
        "train.py",
        name="train",
        arguments=["--power", "${{ item.power }}", "--data", table, "--out", model],
        inputs=[table],
        outputs=[model],
        for_each={"power": powers},
    )
    models = model.as_input("models")
    compare = PythonScriptStep(
        "compare.py", name="compare", arguments=["--models", models, "--out", result], inputs=[models], outputs=[result]
    )
    return Pipeline(workspace, steps=[compare], name="numbers", default_source_directory="code")


def scores(run: PipelineRun, target: Path) -> list[dict[str, int]]:
    data = run.find_step_run("compare")[0].get_output_data("result")
    assert data.download(str(target)) == 1
    return json.loads((target / data.path_on_datastore / "scores.json").read_text())


@pytest.mark.slow
def test_from_a_file_and_from_python_the_results_are_equal_and_the_second_is_reused(
    files,
    workspace,
    worker,
    studio,
    tmp_path,
    capsys,
):
    by_file = studio("run", "submit-pipeline", "-y", "pipeline.yml", "-n", "numbers", "-p", "seed=7").stdout
    first = PipelineRun.get(workspace, re.search(r"PipelineRunId: (\S+)", by_file)[1])

    second = built(workspace).submit("numbers")
    status = second.wait_for_completion(show_output=True)

    assert "Step train [2]: Completed" in by_file
    assert (first.get_status(), status) == ("Finished", "Finished")
    assert scores(first, tmp_path / "first") == scores(second, tmp_path / "second") == SCORES
    assert capsys.readouterr().out.count("(reused)") == 5
    assert second._fetch()["duration_seconds"] < 1
    assert {step.get_stdout_log() for step in second.find_step_run("train")} == {
        f"power {each['power']} scores {each['score']}\n" for each in SCORES
    }


@pytest.mark.slow
def test_a_failed_step_is_shown_with_its_log_and_the_run_can_be_resumed(files, workspace, worker, capsys):
    (files / "code" / "train.py").write_text("raise SystemExit('no data today')")

    run = built(workspace).submit("numbers", pipeline_parameters={"powers": [1]})
    with pytest.raises(ActivityFailedException, match="train"):
        run.wait_for_completion(show_output=True)
    again = run.resume()
    again.wait_for_completion(show_output=False, raise_on_error=False)

    assert "no data today" in capsys.readouterr().out
    assert [step.get_status() for step in run.get_steps()] == ["Finished", "Failed", "Canceled"]
    assert again.find_step_run("prepare")[0]._described()["reused_from"]


def test_runs_of_pipelines_say_what_is_not_for_them(files, workspace):
    ComputeTarget.objects.update(slots=0)  # nobody takes a step, so that a cancel ends all of them at once
    run = Experiment(workspace, "numbers").submit(built(workspace), tags={"a": "b"})
    step = run.find_step_run("prepare")[0]

    for verb in (run.complete, run.fail, run.child_run, step.complete, step.fail, step.child_run):
        with pytest.raises(NotAvailable):
            verb()
    run.cancel()

    assert (run.type, run.get_tags(), run.get_status()) == ("azureml.PipelineRun", {"a": "b"}, "Canceled")
    assert {each.get_status() for each in run.get_steps()} == {"Canceled"}
    assert (step.parent.id, step.type) == (run.id, "azureml.StepRun")
    assert isinstance(workspace.get_run(run.id), Run)
    with pytest.raises(UserErrorException, match="is no run of a pipeline"):
        PipelineRun.get(workspace, step.id)


def test_each_folder_is_sent_once(files, workspace, monkeypatch):
    sent = []
    real = workspace._client.request
    monkeypatch.setattr(
        type(workspace._client),
        "request",
        lambda self, method, path, **more: sent.append(path) or real(method, path, **more),
    )

    built(workspace).submit("numbers")

    assert [path.partition("?")[0] for path in sent] == ["/pipelines/validate", "/snapshots", "/pipelines/runs"]


def test_validate_says_what_is_wrong_and_nothing_is_submitted(files, workspace):
    pipeline = built(workspace)
    assert pipeline.validate() == []

    a, b = CommandStep(["a"], name="a"), CommandStep(["b"], name="b")
    a.run_after(b)
    b.run_after(a)
    looped = Pipeline(workspace, steps=[a, b])

    assert "wait for each other" in looped.validate()[0]
    with pytest.raises(UserErrorException, match="wait for each other"):
        looped.submit("numbers")


def test_a_script_that_is_not_there_is_named_with_its_step(files, workspace):
    (files / "code" / "train.py").unlink()

    with pytest.raises(UserErrorException, match=r"train\.py of the step 'train' is not there"):
        built(workspace).submit("numbers")


def test_what_is_built_and_what_is_written_are_the_same_definition(files, workspace):
    written = Pipeline.load_yaml(workspace, "pipeline.yml")
    made = built(workspace)
    made.to_yaml("made.yml")

    assert made._document() == written._document() == Pipeline.load_yaml(workspace, "made.yml")._document()


def test_published_run_disabled_and_scheduled(files, workspace):
    first = built(workspace).publish(name="nightly", description="Numbers.", version="1.0")
    second = Experiment(workspace, "numbers").submit(first).publish_pipeline("nightly", "Again.", "1.1")

    endpoint = PipelineEndpoint.get(workspace, name="nightly")
    run = endpoint.submit("numbers", pipeline_parameters={"seed": 11})
    second.disable()
    schedule = Schedule.create(
        workspace,
        "every morning",
        first.id,
        "numbers",
        recurrence=ScheduleRecurrence("Week", 1, week_days=["Monday"], time_of_day="6:30", time_zone="Europe/Rome"),
        pipeline_parameters={"seed": 3},
    )
    schedule.disable()

    assert [(each.name, each.version, each.status) for each in endpoint.list_versions()] == [
        ("nightly", "1.1", "Disabled"),
        ("nightly", "1.0", "Active"),
    ]
    assert [each.id for each in PublishedPipeline.list(workspace)] == [first.id]
    assert run.get_properties()["azureml.pipelineversion"] == "2"
    assert [each.id for each in PipelineRun.get_pipeline_runs(workspace, second.id)] == [run.id]
    with pytest.raises(ServiceException, match="disabled"):
        second.submit(workspace, "numbers")
    assert (schedule.status, Schedule.list(workspace)) == ("Paused", [])
    assert Schedule.get(workspace, schedule.id).recurrence.hours == [6]
    schedule.enable()
    schedule.update(cron="0 6 * * *")
    assert (schedule.status, schedule.cron, schedule.recurrence, schedule.get_pipeline_runs()) == (
        "Active",
        "0 6 * * *",
        None,
        [],
    )
    schedule.delete()
    with pytest.raises(ServiceException):
        Schedule.get(workspace, schedule.id)


# --- The command line --------------------------------------------------------------------


def test_errors_name_the_step_and_the_line(files, studio):
    text = (files / "pipeline.yml").read_text()
    (files / "bad.yml").write_text(text.replace("steps.prepare.outputs.table", "steps.prepair.outputs.table"))

    said = studio("pipeline", "validate", "bad.yml", code=1).stderr

    line = next(number for number, each in enumerate(text.splitlines(), 1) if "steps.prepare.outputs" in each)
    assert (
        f"bad.yml: steps.train.inputs.table (line {line}): There is no step 'prepair'; did you mean 'prepare'" in said
    )
    assert studio("run", "submit-pipeline", "-y", "bad.yml", "-n", "numbers", code=1).stderr == said


@pytest.mark.slow
def test_the_verbs_of_the_command_line(files, studio, workspace):
    made = json.loads(studio("pipeline", "publish", "-y", "pipeline.yml", "-n", "nightly", "-v", "1.0").stdout)
    again = json.loads(studio("pipeline", "create", "-y", "pipeline.yml", "-n", "nightly").stdout)
    run = json.loads(
        studio(
            "run", "submit-pipeline", "-i", "nightly", "-n", "numbers", "-p", "seed=5,powers=[2,3]", "--async"
        ).stdout
    )
    other = json.loads(studio("pipeline", "run", "-i", made["id"], "-e", "numbers", "-p", "seed=5", "--async").stdout)
    schedule = json.loads(
        studio(
            "pipeline", "schedule", "create", "-n", "s", "-i", "nightly", "-e", "numbers", "--cron", "0 6 * * *"
        ).stdout
    )

    shown = PipelineRun.get(workspace, run["run_id"])
    assert shown.get_properties()["azureml.pipelineid"] == again["id"]
    assert [step._described()["item"] for step in shown.find_step_run("train")] == [2, 3]
    assert other["properties"]["azureml.pipelineid"] == made["id"]
    assert json.loads(studio("pipeline", "disable", "-i", again["id"]).stdout)["is_enabled"] is False
    assert json.loads(studio("pipeline", "list", "--query", "[].version").stdout) == [1]
    assert json.loads(studio("pipeline", "enable", "-i", again["id"]).stdout)["is_enabled"] is True
    assert "nightly" in studio("pipeline", "list", "-o", "table").stdout
    assert studio("pipeline", "show", "-i", "nightly", "--query", "definition", "-o", "yaml").stdout.startswith(
        "name: n"
    )
    sid = ("-s", schedule["id"])
    assert json.loads(studio("pipeline", "schedule", "pause", *sid).stdout)["status"] == "Paused"
    assert json.loads(studio("pipeline", "schedule", "resume", *sid).stdout)["status"] == "Active"
    assert json.loads(studio("pipeline", "schedule", "show", *sid).stdout)["latest_ticks"] == []
    assert schedule["id"] in studio("pipeline", "schedule", "list", "-o", "table").stdout
    assert "is gone" in studio("pipeline", "schedule", "delete", *sid).stdout
    assert "one of the two" in studio("run", "submit-pipeline", "-n", "x", code=1).stderr
    assert "no published pipeline" in studio("pipeline", "show", "-i", "nothing", code=1).stderr
