"""The command line, run as a program against the live server."""

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runs.models import Run as Row
from studio_sdk.core import Experiment, RunConfiguration
from tests import factories
from tests.journeys.product import eventually
from tests.sdk.shell import start

SEED = Path(__file__).parent / "seed"
SDK = Path(__file__).resolve().parents[2] / "sdk"
LINES = [
    line
    for block in re.findall(r"```azurecli\n(.*?)```", (SEED / "blocks.md").read_text(), re.DOTALL)
    for line in block.splitlines()
    if line and not line.startswith("#")
]

pytestmark = pytest.mark.process

Studio = Callable[..., subprocess.CompletedProcess]


def test_every_line_of_the_article_runs(studio, experiment, folder, worker):
    """With `az ml` replaced, values for the names that the article says to replace, and quotes for the shell."""
    factories.compute_target("gpu-compute")
    shutil.copy(SEED / "train.py", folder)
    run = experiment.start_logging(snapshot_directory=None)
    run.add_properties({"author": "azureml-user"})
    run.tag("worth another look")

    said = {}
    for line in LINES[1:]:  # the first is `az login`: the machine's own user is signed in
        ours = line.replace("az ml ", "").replace("myworkspace", "default").replace("workspace_name", "default")
        ours = re.sub(r"(?<=-r )runid", run.id, ours)
        ours = re.sub(r"(?<=--experiment-name )experiment", "explore-runs", ours)
        ours = re.sub(r"(?<=-e )experiment_name", "explore-runs", ours)
        ours = re.sub(r"(\[\?.*\])$", lambda found: f"--query {shlex.quote(found[1])}", ours)
        if "-c sklearn" in ours:
            RunConfiguration().save(folder, "sklearn")
        words = [word.replace("quality='fantastic run'", "quality=fantastic run") for word in shlex.split(ours)]
        said[line] = studio(*words).stdout

    by_author, by_tag, by_both = [json.loads(said[line]) for line in LINES[-3:]]
    assert [each["run_id"] for each in by_author] == [run.id]
    assert [each["run_id"] for each in by_tag] == [run.id]
    assert [each["run_id"] for each in by_both] == [run.id]
    assert by_both[0]["tags"] == {"quality": "fantastic run", "worth another look": None}
    assert run.get_status() == "Canceled"
    [script_run] = Experiment(experiment.workspace, "testexperiment").get_runs()
    assert (script_run.get_status(), script_run.get_metrics()) == ("Completed", {"alpha": 0.5})
    assert "trained with" in said[next(line for line in LINES if "submit-script" in line)]


def test_attach_writes_the_files_and_says_so(studio, folder):
    factories.compute_target("gpu-compute")

    answer = json.loads(studio("folder", "attach", "-w", "default", "-g", "group", "-e", "first").stdout)

    assert answer == {
        "experiment_name": "first",
        "subscription_id": "",
        "resource_group": "group",
        "workspace_name": "default",
        "project_path": str(folder),
    }
    written = {path.name for path in (folder / ".azureml").iterdir()}
    assert written == {
        "config.json",
        "conda_dependencies.yml",
        "docker.runconfig",
        "gpu-compute.runconfig",
        "local.runconfig",
    }
    assert "outputs" in (folder / ".amlignore").read_text()
    assert RunConfiguration.load(folder, "gpu-compute").target == "gpu-compute"


def test_attach_leaves_files_alone(studio, folder):
    (folder / ".amlignore").write_text("mine")

    studio("folder", "attach", "-w", "default")

    assert (folder / ".amlignore").read_text() == "mine"


def test_attach_to_a_workspace_that_is_not_there(studio):
    assert "nowhere" in studio("folder", "attach", "-w", "nowhere", code=1).stderr


def test_the_attached_experiment_is_the_default(studio, folder, worker):
    shutil.copy(SEED / "train.py", folder)
    studio("folder", "attach", "-w", "default", "-e", "of-the-folder")

    studio("run", "submit-script", "-c", "local", "train.py", "--alpha", "0.5", "-o", "json")

    assert Row.objects.get().experiment.name == "of-the-folder"
    assert Row.objects.get().arguments == ["--alpha", "0.5", "-o", "json"]


def test_submit_prints_the_log_and_the_page(studio, folder, worker):
    shutil.copy(SEED / "train.py", folder)

    out = studio("run", "submit-script", "-e", "first", "train.py").stdout

    assert "trained with []" in out
    assert "/runs/first_" in out


def test_submit_async_prints_the_document_and_writes_it(studio, folder):
    shutil.copy(SEED / "train.py", folder)

    out = studio("run", "submit-script", "--async", "-e", "first", "-t", "run.json", "train.py").stdout

    document = json.loads(out)
    assert (document["status"], document["script"]) == ("Queued", "train.py")
    assert json.loads((folder / "run.json").read_text()) == document


def test_a_file_for_the_answer_must_not_be_there(studio, folder):
    shutil.copy(SEED / "train.py", folder)
    (folder / "run.json").write_text("mine")

    studio("run", "submit-script", "--async", "-e", "first", "-t", "run.json", "train.py", code=1)

    assert not Row.objects.exists()


def test_a_script_that_fails_is_exit_code_one(studio, folder, worker):
    (folder / "bad.py").write_text("raise SystemExit('no data')")

    done = studio("run", "submit-script", "-e", "first", "bad.py", code=1)

    assert "no data" in done.stdout
    assert "Failed" in done.stderr


def test_a_runconfig_may_be_json_and_have_two_keys(studio, folder, worker):
    (folder / ".azureml").mkdir()
    (folder / ".azureml" / "short.runconfig").write_text('{"script": "train.py", "arguments": ["--a", 1]}')
    shutil.copy(SEED / "train.py", folder)

    out = studio("run", "submit-script", "-c", "short", "-e", "first").stdout

    assert "trained with ['--a', '1']" in out


def test_an_unknown_runconfig_names_those_there_are(studio, folder):
    studio("folder", "attach", "-w", "default")

    assert "docker, local" in studio("run", "submit-script", "-c", "sklearn", "train.py", code=1).stderr


@pytest.mark.parametrize(("option", "status"), [("--cancel-on-exit", "Canceled"), ("--", "Running")])
def test_ctrl_c_leaves_the_run_going_unless_told_otherwise(signed_in, folder, worker, option, status):
    (folder / "long.py").write_text("import time\nprint('begun', flush=True)\ntime.sleep(60)")
    process = start(["run", "submit-script", "-e", "first", option, "long.py"])
    _read_until(process, "begun")

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    run_id = Row.objects.get().run_id
    assert process.returncode == 1
    assert f"studio run cancel -r {run_id}" in err or status == "Canceled"
    # Its words may be read before the rows say that it is Running.
    eventually(lambda: Row.objects.get().status == status, about=lambda: Row.objects.get().status)


def test_sigterm_cancels_with_cancel_on_exit(signed_in, folder, worker):
    (folder / "long.py").write_text("import time\nprint('begun', flush=True)\ntime.sleep(60)")
    process = start(["run", "submit-script", "-e", "first", "--cancel-on-exit", "long.py"])
    _read_until(process, "begun")

    process.terminate()
    process.communicate(timeout=60)

    eventually(lambda: Row.objects.get().status == "Canceled", about=lambda: Row.objects.get().status)


def _read_until(process: subprocess.Popen, word: str) -> None:
    ends_at = time.monotonic() + 120
    assert process.stdout is not None
    assert process.stderr is not None
    while word not in (line := process.stdout.readline()):
        assert line, process.stderr.read()
        assert time.monotonic() < ends_at


def test_list_filters_and_limits(studio, experiment):
    runs = [experiment.start_logging(snapshot_directory=None, tags={"n": n, "even": n % 2 == 0}) for n in range(4)]
    runs[3].child_run()
    runs[0].complete()

    def ids(*arguments: str) -> list[str]:
        return [each["run_id"] for each in json.loads(studio("run", "list", *arguments).stdout)]

    assert ids("-e", "explore-runs") == [run.id for run in reversed(runs)]
    assert ids("--last", "2") == [runs[3].id, runs[2].id]
    assert ids("--status", "completed") == [runs[0].id]
    assert ids("--tags", "n=1", "--tags", "even") == [runs[1].id]
    assert len(ids("--parent-run-id", runs[3].id)) == 1
    assert len(ids("--compute-target-name", "local")) == 0


def test_list_minimal_has_the_most_important_fields(studio, run):
    [row] = json.loads(studio("run", "list", "--minimal").stdout)

    assert row["run_id"] == run.id
    assert len(row) == 7


def test_outputs(studio, run):
    run.tag("quality", "good")

    assert json.loads(studio("run", "show", "-r", run.id).stdout)["tags"] == {"quality": "good"}
    assert "quality: good" in studio("run", "show", "-r", run.id, "-o", "yaml").stdout
    assert run.id in studio("run", "list", "-o", "table").stdout
    tsv = studio("run", "list", "-o", "tsv", "--query", "[].{id: run_id, status: status}").stdout
    assert tsv == f"{run.id}\tRunning\n"
    assert studio("run", "show", "-r", run.id, "--query", "tags.quality", "-o", "tsv").stdout == "good\n"


def test_a_query_that_can_not_be_read_is_said(studio, run):
    assert "JMESPath" in studio("run", "list", "--query", "[?", code=1).stderr


def test_update_tags_name_and_description(studio, run):
    run.tag("old", "1")

    document = json.loads(
        studio("run", "update", "-r", run.id, "--add-tag", "mark", "--add-tag", "a=b=c", "--remove-tag", "old").stdout
    )
    studio("run", "update", "-r", run.id, "--display-name", "Best", "--description", "words")

    assert document["tags"] == {"mark": None, "a": "b=c"}
    row = Row.objects.get(run_id=run.id)
    assert (row.display_name, row.description) == ("Best", "words")


def test_update_of_nothing_is_refused(studio, run):
    assert "--add-tag" in studio("run", "update", "-r", run.id, code=1).stderr


def test_metrics(studio, run):
    run.log_list("alpha", [1, 2])
    run.flush()

    assert studio("run", "metrics", "-r", run.id, "--query", "alpha[-1]").stdout == "2\n"


def test_logs_are_monitored_and_downloaded(studio, folder, worker):
    shutil.copy(SEED / "train.py", folder)
    run_id = json.loads(studio("run", "submit-script", "--async", "-e", "first", "train.py").stdout)["run_id"]

    assert studio("run", "monitor-logs", "-r", run_id).stdout == "trained with []\n"
    paths = json.loads(studio("run", "download-logs", "-r", run_id, "-d", "logs").stdout)
    assert (folder / "logs" / "user_logs" / "std_log.txt").read_text() == "trained with []\n"
    assert "logs/user_logs/std_log.txt" in paths


def test_experiments_and_compute_targets_are_listed(studio, experiment):
    assert [each["name"] for each in json.loads(studio("experiment", "list").stdout)] == ["explore-runs"]
    assert json.loads(studio("experiment", "list", "--archived").stdout) == []
    assert studio("computetarget", "list", "--query", "[].name", "-o", "tsv").stdout == "local\n"


def test_an_unknown_run_is_exit_code_one(studio):
    assert "nothing" in studio("run", "show", "-r", "nothing", code=1).stderr


@pytest.mark.parametrize("arguments", [["run", "show"], ["run", "fly"], ["run", "list", "--last", "x"]])
def test_a_command_that_can_not_be_read_is_exit_code_two(studio, arguments):
    studio(*arguments, code=2)


def test_exec_makes_azureml_ours(studio):
    code = "import azureml.core, studio_sdk.core; print(azureml.core.Run is studio_sdk.core.Run)"

    assert studio("exec", "--", sys.executable, "-c", code).stdout == "True\n"


def test_exec_of_a_program_that_is_not_there(studio):
    studio("exec", "--", "no-such-program", code=1)


def test_without_a_login_it_says_what_to_run(folder):
    process = start(["run", "list"])
    _, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "studio login" in err
