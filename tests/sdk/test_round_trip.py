"""A run that is made through one door is complete and equal through the other two: page, SDK, command line."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser
from typer.testing import CliRunner

from runs.models import Run as Row
from studio_sdk.cli.app import app
from studio_sdk.core import ScriptRunConfig
from tests.sdk.test_cli import start

pytestmark = [pytest.mark.process, pytest.mark.slow]

SCRIPT = """
import sys
from azureml.core import Run

run = Run.get_context()
for step in range(3):
    run.log("loss", 1 / (step + 1), step=step)
run.log("stage", "done")
run.log_row("result", alpha=0.5, epochs=3)
run.tag("mark")
run.add_properties({"author": "olivia"})
with run.child_run(name="fold 1") as child:
    child.log("accuracy", 1)
with open("outputs/model.txt", "w") as file:
    file.write("model")
print("trained with", sys.argv[1:])
"""
METRICS = {"loss": [1, 0.5, 1 / 3], "stage": "done", "result": {"alpha": 0.5, "epochs": 3}}
LATEST = {"loss": 1 / 3, "stage": "done", "result": {"alpha": 0.5, "epochs": 3}}


@pytest.fixture
def site(person) -> Browser:
    """Where Olivia is signed in."""
    site = Browser()
    site.force_login(person)
    return site


@pytest.fixture
def code(folder) -> str:
    (folder / "train.py").write_text(SCRIPT)
    return SCRIPT


def _cli(*arguments: str):
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def _check_through_all_doors(run_id, workspace, site):
    """Assert that the run is whole, and that the three doors show the same; return its document."""
    run = workspace.get_run(run_id)
    run.wait_for_completion()
    [child] = run.get_children()

    document = run._fetch()
    metrics = run.get_metrics(recursive=True)
    assert document["status"] == "Completed"
    assert (document["tags"], document["display_name"]) == ({"quality": "good", "mark": None}, "Try")
    assert (document["arguments"], document["metrics"]) == (["--n", "1"], LATEST)
    assert document["properties"]["author"] == "olivia"
    assert metrics == {run_id: METRICS, child.id: {"accuracy": 1}}
    assert run.get_file_names() == ["outputs/model.txt", "system_logs/run.txt", "user_logs/std_log.txt"]
    log = run.get_details_with_logs()["logFiles"]["user_logs/std_log.txt"]
    assert log == "trained with ['--n', '1']\n"

    # The command line.
    assert _cli("run", "show", "-r", run_id) == document
    assert _cli("run", "metrics", "-r", run_id, "--recursive") == metrics
    assert _cli("run", "list", "-e", document["experiment"]) == [document]
    assert _cli("run", "list", "--parent-run-id", run_id) == [child._fetch()]
    assert CliRunner().invoke(app, ["run", "monitor-logs", "-r", run_id]).stdout == log

    # The page.
    tabs = {tab: site.get(f"/runs/{run_id}/{tab}") for tab in ("", "metrics/", "children/", "outputs/", "snapshot/")}
    shown = tabs[""].context
    assert site.get(f"/runs/{run_id}/raw/download/").json() == document
    assert {tag.key: tag.value for tag in shown["tags"]} == document["tags"]
    assert {each.key: each.value for each in shown["properties"]} == document["properties"]
    assert {metric.name: latest for metric, latest in shown["metrics"]} == LATEST
    assert {metric.name: latest for metric, latest in tabs["metrics/"].context["series"]} == LATEST
    assert "fold 1" in tabs["children/"].content.decode()
    assert "model.txt" in tabs["outputs/"].content.decode()
    assert "std_log.txt" in tabs["outputs/"].content.decode()
    assert "train.py" in tabs["snapshot/"].content.decode()
    return document


def _door(run_id) -> str:
    return Row.objects.get(run_id=run_id).events.order_by("id").first().actor


def test_a_run_of_the_sdk(experiment, workspace, code, worker, site):
    config = ScriptRunConfig(".", "train.py", ["--n", 1])
    run = experiment.submit(config, tags={"quality": "good"}, display_name="Try")

    document = _check_through_all_doors(run.id, workspace, site)

    assert (document["experiment"], _door(run.id)) == ("explore-runs", "sdk")


def test_a_run_of_the_command_line(workspace, code, worker, site):
    process = start(["run", "submit-script", "--async", "-e", "first", "train.py", "--n", "1"])
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    run_id = json.loads(out)["run_id"]
    _cli("run", "update", "-r", run_id, "--add-tag", "quality=good", "--display-name", "Try")

    document = _check_through_all_doors(run_id, workspace, site)

    assert (document["experiment"], _door(run_id)) == ("first", "cli")


def test_a_run_of_the_page(workspace, folder, worker, site):
    form = {
        "experiment": "from-the-page",
        "compute_target": "local",
        "requirements": "auto",
        "upload": SimpleUploadedFile("train.py", SCRIPT.encode()),
        "arguments": "--n 1",
        "tags": "quality=good",
        "display_name": "Try",
    }
    answer = site.post("/w/default/new-run/", form)
    run_id = answer["Location"].split("/")[2]

    document = _check_through_all_doors(run_id, workspace, site)

    assert (document["experiment"], _door(run_id)) == ("from-the-page", "web")


def test_what_is_changed_through_one_door_is_changed_for_all(run, workspace, site):
    run.tag("sdk", "1")
    _cli("run", "update", "-r", run.id, "--add-tag", "cli=2", "--description", "of the *command line*")
    site.post(f"/runs/{run.id}/tags/", {"key": "page", "value": "3"})

    assert run.get_tags() == {"sdk": "1", "cli": "2", "page": "3"}
    assert run.description == "of the *command line*"
    assert _cli("run", "show", "-r", run.id) == site.get(f"/runs/{run.id}/raw/download/").json() == run._fetch()
    assert "<em>command line</em>" in site.get(f"/runs/{run.id}/").content.decode()

    site.post(f"/runs/{run.id}/cancel/")
    assert run.get_status() == "Canceled"
    assert _cli("run", "show", "-r", run.id)["cancel_requested_by"] == "olivia"
