"""Run.get_context(): inside a submitted script, and offline."""

import pytest

from studio_sdk.core import Run, ScriptRunConfig
from studio_sdk.exceptions import RunEnvironmentException
from tests.journeys.product import eventually


@pytest.fixture
def offline() -> Run:
    return Run.get_context()


def test_without_a_server_the_run_is_offline_and_prints(offline, capsys):
    offline.log("accuracy", 0.9, step=2)
    offline.log_list("a", [1, 2])
    offline.log_row("r", x=1)

    assert offline.id.startswith("OfflineRun_")
    assert capsys.readouterr().out.splitlines() == [
        "offline: accuracy = 0.9 at step 2",
        "offline: a = 1",
        "offline: a = 2",
        'offline: r = {"x": 1}',
    ]


def test_an_offline_run_can_do_what_needs_no_server(offline, capsys):
    with offline.child_run() as child:
        child.tag("a")
        child.add_properties({"b": 1})
        child.upload_file("outputs/x", "x")
        child.set_tags({"c": 2})
    offline.flush()
    offline.fail("text")
    offline.cancel()
    offline.complete()

    assert "failed: text" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", ["parent", "experiment", "get_metrics", "get_tags", "get_status", "get_details", "submit_child"]
)
def test_an_offline_run_lacks_what_needs_one_and_says_why(offline, name):
    assert not hasattr(offline, name)
    with pytest.raises(AttributeError, match="needs a server"):
        getattr(offline, name)


def test_offline_can_be_refused():
    with pytest.raises(RunEnvironmentException, match="submit-script"):
        Run.get_context(allow_offline=False)


@pytest.fixture
def inside(run, signed_in, monkeypatch) -> Run:
    """The run as its own script sees it."""
    monkeypatch.setenv("STUDIO_RUN_ID", run.id)
    monkeypatch.setenv("STUDIO_EXPERIMENT", "explore-runs")
    monkeypatch.setenv("STUDIO_WORKSPACE", "default")
    return Run.get_context()


def test_inside_a_script_the_context_is_its_run(inside, run):
    inside.log("a", 1)
    inside.tag("b")

    assert inside == run
    assert (run.get_tags(), inside.get_metrics()) == ({"b": None}, {"a": 1})
    assert (inside.experiment.name, inside.experiment.workspace.name) == ("explore-runs", "default")


def test_inside_a_script_the_status_is_the_workers(inside, run, capsys):
    inside.complete()
    inside.fail(ValueError("no data"), error_code="DataError")
    inside.cancel()
    with inside as same:
        same.log("a", 1)

    assert run.get_status() == "Running"
    assert run.get_details()["error"]["error"]["message"] == "DataError: ValueError: no data"
    assert "no data" in capsys.readouterr().err


def test_an_error_that_can_not_be_recorded_does_not_stop_the_script(inside, run, capsys):
    run.cancel()

    inside.fail("no data")

    assert "in the log only" in capsys.readouterr().err


def test_asking_for_the_context_asks_the_server_nothing(monkeypatch):
    monkeypatch.setenv("STUDIO_RUN_ID", "somewhere_1_2")
    monkeypatch.setenv("STUDIO_URL", "http://127.0.0.1:1")

    assert Run.get_context().id == "somewhere_1_2"


@pytest.mark.process
@pytest.mark.slow
def test_a_submitted_script_logs_reads_and_has_children(experiment, folder, worker):
    (folder / "train.py").write_text(
        "from azureml.core import Run\n"
        "import sys\n"
        "run = Run.get_context()\n"
        "run.log('alpha', 0.5)\n"
        "run.tag('where', run.experiment.name)\n"
        "with run.child_run(name='inner') as child:\n"
        "    child.log('b', 1)\n"
        "open('outputs/model.txt', 'w').write('model')\n"
        "print('arguments', sys.argv[1:])\n"
        "run.fail('too few rows')\n"
    )

    run = experiment.submit(ScriptRunConfig(".", "train.py", ["--n", 3]), tags={"set": "before"})
    details = run.wait_for_completion()

    assert details["status"] == "Completed"
    assert details["error"]["error"]["message"] == "too few rows"
    assert run.type == "azureml.scriptrun"
    assert details["runDefinition"]["arguments"] == ["--n", "3"]
    assert run.get_tags() == {"set": "before", "where": "explore-runs"}
    assert run.get_metrics(recursive=True)[run.id] == {"alpha": 0.5}
    assert [child.display_name for child in run.get_children()] == ["inner"]
    assert "outputs/model.txt" in run.get_file_names()
    assert "arguments ['--n', '3']" in run.get_details_with_logs()["logFiles"]["user_logs/std_log.txt"]


@pytest.mark.process
@pytest.mark.slow
def test_a_running_script_that_is_failed_stops_and_stays_failed(experiment, folder, worker):
    (folder / "long.py").write_text("import time\nprint('begun', flush=True)\ntime.sleep(60)")
    run = experiment.submit(ScriptRunConfig(".", "long.py"))
    eventually(lambda: run.get_status() == "Running", seconds=120, about=lambda: str(run.get_details()))

    run.fail("not worth it")

    assert run.get_status() == "Failed"
    assert run.get_details()["error"]["error"]["message"] == "not worth it"
