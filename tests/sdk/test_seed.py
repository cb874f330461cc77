"""Every Python block of the article runs as it stands there, after one line that enables the alias."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from studio_sdk.core import ScriptRunConfig, Workspace
from tests import factories

SEED = Path(__file__).parent / "seed"
SDK = Path(__file__).resolve().parents[2] / "sdk"
BLOCKS = re.findall(r"```python\n(.*?)```", (SEED / "blocks.md").read_text(), re.DOTALL)
# Two blocks are scripts, by their own words: they are submitted, not run in the notebook.
PARENT = next(block for block in BLOCKS if block.startswith("# parent.py"))
CHILD = next(block for block in BLOCKS if block.startswith("## In child run script"))
NOTEBOOK = [block for block in BLOCKS if block not in (PARENT, CHILD)]

pytestmark = [pytest.mark.process, pytest.mark.slow]


@pytest.fixture
def project(folder, workspace, worker) -> Path:
    """A folder that is attached to the workspace, with the article's scripts."""
    factories.compute_target("gpu-compute", slots=3)
    for script in ("hello_with_delay.py", "hello_with_children.py", "child.py"):
        shutil.copy(SEED / script, folder)
    (folder / "parent.py").write_text(PARENT)
    workspace.write_config(folder)
    return folder


@pytest.fixture
def interpreter(request, tmp_path_factory) -> Path:
    """This interpreter, or a fresh environment of another version with nothing but the client in it."""
    if request.param == "this":
        return Path(sys.executable)
    folder = tmp_path_factory.mktemp("python")
    python = folder / "bin" / "python"
    subprocess.run([find_uv_bin(), "venv", "-q", "--python", f"python{request.param}", folder], check=True)
    subprocess.run([find_uv_bin(), "pip", "install", "-q", "--python", python, SDK], check=True)
    return python


OTHERS = [pytest.param(version, marks=pytest.mark.pythons) for version in ("3.9", "3.13")]


@pytest.mark.parametrize("interpreter", ["this", *OTHERS], indirect=True)
def test_every_block_runs_in_order(project, workspace, tmp_path_factory, interpreter):
    blocks = tmp_path_factory.mktemp("blocks") / "blocks.json"
    kept = blocks.with_name("kept.json")
    blocks.write_text(json.dumps(["import studio_sdk.azureml_alias, azureml.core", *NOTEBOOK]))
    command = [interpreter, SEED / "notebook.py", blocks, kept]

    done = subprocess.run(
        command, cwd=project, capture_output=True, text=True, timeout=400, env=_environment(), check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    shown = [part.partition("\n")[2].rstrip("\n") for part in done.stdout.split("=== block ")[1:]]
    _, version, _, _, running, details, completed, in_block, canceled, failed, children, _, *rest = shown
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert running == "Running"
    assert "'runId'" in details
    assert "'startTimeUtc'" in details
    assert completed == "Completed"
    assert in_block.splitlines() == ["Running", "Completed"]
    assert canceled.splitlines()[0] in ("Queued", "Preparing", "Starting", "Running")
    assert canceled.splitlines()[1] in ("CancelRequested", "Canceled")
    assert failed == "Failed"
    assert "with run.child_run() as child:" in children  # what `more` showed
    assert "child 4 is Running" in children  # what the run printed
    assert children.splitlines()[-1] == "Completed"
    properties, error, quality, mark, by_author = rest
    assert "'author': 'azureml-user'" in properties
    assert "'author'" in error
    assert "azureml-user" in error
    assert quality.splitlines() == ["{'quality': 'great run'}", "{'quality': 'fantastic run'}"]
    assert mark == "{'quality': 'fantastic run', 'worth another look': None}"
    local_id = json.loads(kept.read_text())["local_script_run"]
    assert by_author.count(local_id) == 1
    _check_rows(workspace, json.loads(kept.read_text()))


def _check_rows(workspace: Workspace, kept: dict[str, str]) -> None:
    experiment = workspace.experiments["explore-runs"]
    runs = list(experiment.get_runs())
    for run in runs:
        run.wait_for_completion(raise_on_error=False)  # the canceled one ends when it has stopped
    statuses = [run.get_status() for run in runs if run.type == "azureml.scriptrun"]
    assert sorted(statuses) == ["Canceled", "Completed", "Failed"]
    parent = workspace.get_run(kept["parent_run"])
    assert [child.get_status() for child in parent.get_children()] == ["Completed"] * 5
    assert [child.get_metrics() for child in parent.get_children()] == [
        {"Hello from child run": number} for number in (4, 3, 2, 1, 0)
    ]
    submitted = workspace.get_run(kept["local_script_run"])
    assert [child.get_status() for child in submitted.get_children()] == ["Completed"] * 5
    both = {"properties": {"author": "azureml-user"}, "tags": {"quality": "fantastic run"}}
    assert [run.id for run in experiment.get_runs(**both)] == [submitted.id]
    by_key = experiment.get_runs(properties={"author": "azureml-user"}, tags="worth another look")
    assert [run.id for run in by_key] == [submitted.id]


def test_the_block_of_a_parent_submits_three_children_to_another_target(project, experiment):
    run = experiment.submit(ScriptRunConfig(source_directory=".", script="parent.py"))
    run.wait_for_completion(show_output=True)

    children = list(run.get_children())
    assert run.get_status() == "Completed"
    assert run.get_metrics() == {"Status": ["Launching Apple", "Launching Banana", "Launching Orange"]}
    assert [child.get_metrics()["fruit"] for child in children] == ["Orange", "Banana", "Apple"]
    assert {child.get_details()["target"] for child in children} == {"gpu-compute"}
    assert {child.parent.id for child in children} == {run.id}
    assert f"child of {run.id} with Apple" in children[-1].get_details_with_logs()["logFiles"]["user_logs/std_log.txt"]
    assert children[0].get_properties()["requested.docker"] == "enabled"
    logs = children[0].get_details_with_logs()
    system = "".join(text for name, text in logs["logFiles"].items() if name.startswith("system_logs/"))
    assert "Warning: Docker is recorded only" in system
    assert "docker" in logs["warnings"][0]["message"]


def test_the_block_of_a_child_is_in_its_script():
    assert CHILD in (SEED / "child.py").read_text()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SDK)}
