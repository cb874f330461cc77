"""What is submitted: run configurations, environments, conda files; and what of them reaches the server."""

import json

import pytest

from runs.models import ComputeTarget
from runs.models import Run as Row
from studio_sdk.core import CondaDependencies, Environment, RunConfiguration, ScriptRunConfig
from studio_sdk.core.runconfig import DockerConfiguration
from studio_sdk.exceptions import NotAvailable, ServiceException, UserErrorException
from tests import factories


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_configuration_is_saved_and_loaded_by_its_stem(here):
    config = RunConfiguration()
    config.target = "gpu-compute"
    config.environment_variables = {"BATCH": "32"}
    config.environment.docker.enabled = True
    config.environment.python.conda_dependencies = CondaDependencies.create(pip_packages=["lightgbm==4.5"])
    config.arguments = ["--text", "yes: no # [x]"]

    config.save(name="sklearn")
    again = RunConfiguration.load(".", "sklearn")

    assert (here / ".azureml" / "sklearn.runconfig").read_text().count("nodeCount: 1") == 1
    assert (again.target, again.environment_variables) == ("gpu-compute", {"BATCH": "32"})
    assert again.environment.docker.enabled is True
    assert list(again.environment.python.conda_dependencies.pip_packages) == ["lightgbm==4.5"]
    assert again.arguments == ["--text", "yes: no # [x]"]


def test_the_environment_may_lie_in_a_file_of_its_own(here):
    config = RunConfiguration()
    config.environment.environment_variables["A"] = "1"

    config.save(name="x", separate_environment_yaml=True)

    assert RunConfiguration.load(".", "x").environment.environment_variables == {"A": "1"}


def test_a_short_configuration_with_a_conda_file_is_read(here):
    (here / "conda.yml").write_text("dependencies:\n- python=3.6.2\n- pandas\n- pip:\n  - lightgbm\n")
    (here / "train.runconfig").write_text(
        "script: train.py\narguments: [--a, 1]\nframework: Python\n"
        "environment:\n  python:\n    condaDependenciesFile: conda.yml\n"
    )

    config = RunConfiguration.load(here, "train")

    assert (config.script, config.arguments) == ("train.py", ["--a", 1])
    assert ScriptRunConfig(".", run_config=config)._body()["requirements"] == ["lightgbm"]
    assert ScriptRunConfig(".", run_config=config)._body()["properties"] == {
        "requested.conda_packages": "python=3.6.2, pandas"
    }


def test_what_a_file_says_beyond_what_we_know_is_kept(here):
    (here / "x.runconfig").write_text(json.dumps({"target": "local", "hdi": {"yarnDeployMode": "cluster"}}))

    config = RunConfiguration.load(here, "x")
    config.save(here, "y")

    assert "yarnDeployMode: cluster" in (here / ".azureml" / "y.runconfig").read_text()


def test_the_worker_s_own_interpreter_is_the_default():
    body = ScriptRunConfig(".", "train.py")._body()

    assert "requirements" not in body
    assert "interpreter_path" not in body
    assert body["compute_target"] == "local"


def test_an_interpreter_path_is_used_and_packages_then_are_not():
    config = RunConfiguration()
    config.environment.python.user_managed_dependencies = True
    config.environment.python.interpreter_path = "/opt/envs/x/bin/python"
    config.environment.python.conda_dependencies.add_pip_package("numpy")

    body = ScriptRunConfig(".", "train.py", run_config=config)._body()

    assert body["interpreter_path"] == "/opt/envs/x/bin/python"
    assert "requirements" not in body


def test_the_original_sdk_is_not_installed_over_ours():
    config = RunConfiguration()
    config.environment.python.conda_dependencies = CondaDependencies.create(
        pip_packages=["azureml-defaults", "azureml-sdk[notebooks]", "numpy"], pip_indexurl="https://example.org"
    )

    body = ScriptRunConfig(".", "train.py", run_config=config)._body()

    assert body["requirements"] == ["--index-url https://example.org", "numpy"]


@pytest.mark.parametrize("asks", ["environment", "runtime"])
def test_docker_is_recorded_and_the_run_goes_on(asks):
    config = RunConfiguration()
    config.environment.docker.enabled = asks == "environment"
    config.docker = DockerConfiguration(use_docker=asks == "runtime")

    assert ScriptRunConfig(".", "a.py", run_config=config)._body()["properties"] == {"requested.docker": "enabled"}


def test_many_nodes_are_refused_with_a_sentence():
    config = RunConfiguration()
    config.node_count = 2

    with pytest.raises(UserErrorException, match="one machine"):
        ScriptRunConfig(".", "a.py", run_config=config)._body()


def test_a_run_config_wins_over_single_arguments_with_a_warning(capsys):
    source = ScriptRunConfig(".", "a.py", run_config=RunConfiguration(), compute_target="gpu")

    assert source.run_config.target == "local"
    assert "compute_target ignored" in capsys.readouterr().err


def test_single_arguments_are_taken_without_one():
    environment = Environment("e")
    environment.environment_variables["A"] = "1"

    source = ScriptRunConfig(".", "a.py", compute_target="gpu", environment=environment, max_run_duration_seconds=60)

    body = source._body()
    assert (body["compute_target"], body["environment_variables"]) == ("gpu", {"A": "1"})
    assert body["max_run_duration_seconds"] == 60


def test_a_run_config_that_is_given_is_not_changed_by_others():
    shared = RunConfiguration()
    ScriptRunConfig(".", "a.py", run_config=shared).run_config.target = "gpu"

    assert shared.target == "local"


@pytest.mark.parametrize(
    ("command", "words"), [("python a.py | tee x", ["/bin/sh", "-c", "python a.py | tee x"]), (["a", 1], ["a", "1"])]
)
def test_a_command_takes_the_place_of_the_script(command, words):
    body = ScriptRunConfig(".", command=command)._body()

    assert body["command"] == words
    assert "script" not in body


@pytest.mark.parametrize(
    "arguments",
    [{}, {"script": "a.py", "command": "b"}, {"command": "b", "arguments": ["c"]}],
)
def test_what_makes_no_sense_is_refused(arguments):
    with pytest.raises(UserErrorException):
        ScriptRunConfig(".", **arguments)


def test_arguments_are_a_list_without_holes():
    with pytest.raises(UserErrorException, match=r"arguments\[1\]"):
        ScriptRunConfig(".", "a.py", ["--a", None])._body()


@pytest.mark.parametrize("what", [{"resume_from": "x"}, {"distributed_job_config": "x"}])
def test_what_is_not_there_names_the_alternative(what):
    with pytest.raises(NotAvailable, match="Run"):
        ScriptRunConfig(".", "a.py", **what)


def test_an_environment_comes_from_files_and_goes_to_a_folder(here):
    (here / "requirements.txt").write_text("numpy  # numbers\n\n# comment\nscikit-learn==1.5\n")

    environment = Environment.from_pip_requirements("e", "requirements.txt")
    environment.save_to_directory("saved")
    again = Environment.load_from_directory("saved")

    assert list(again.python.conda_dependencies.pip_packages) == ["numpy", "scikit-learn==1.5"]
    assert Environment.from_conda_specification("e", "saved/conda_dependencies.yml").name == "e"


def test_packages_are_added_replaced_and_removed():
    dependencies = CondaDependencies.create(conda_packages=["pandas"], python_version="3.8")
    dependencies.add_pip_package("NumPy==1")
    dependencies.add_pip_package("numpy==2")
    dependencies.add_conda_package("conda-forge::pandas=2")
    dependencies.remove_pip_package("numpy")

    assert list(dependencies.pip_packages) == []
    assert list(dependencies.conda_packages) == ["conda-forge::pandas=2"]
    assert dependencies.python_version == "3.8"


def test_a_submission_reaches_the_server_whole(experiment, folder):
    ComputeTarget.objects.update(slots=0)  # nobody takes it meanwhile
    (folder / "train.py").write_text("print(1)")
    (folder / "data.bin").write_text("x")
    (folder / ".amlignore").write_text("data.bin\n")
    config = ScriptRunConfig(".", "train.py", ["--a", 0.1], max_run_duration_seconds=60)
    config.run_config.environment_variables["A"] = "1"

    run = experiment.submit(config, tags={"t": None}, properties={"p": 1}, display_name="One", run_id="my-run")

    row = Row.objects.get(run_id="my-run")
    assert (run.get_status(), row.script, row.arguments) == ("Queued", "train.py", ["--a", "0.1"])
    assert (row.environment_variables, row.max_run_duration_seconds) == ({"A": "1"}, 60)
    assert (run.get_tags(), run.get_properties()) == ({"t": None}, {"p": "1"})
    assert row.display_name == "One"


def test_a_target_that_refuses_docker_says_so_at_submit(experiment, folder):
    factories.compute_target("strict", refuses_conda_and_docker=True)
    (folder / "train.py").write_text("print(1)")
    config = RunConfiguration()
    config.target = "strict"
    config.environment.docker.enabled = True

    with pytest.raises(ServiceException, match=r"'strict' refuses runs that ask for Docker \("):
        experiment.submit(ScriptRunConfig(".", "train.py", run_config=config))


def test_a_script_that_is_not_there_is_refused_here(experiment):
    with pytest.raises(UserErrorException, match=r"nothing\.py is not there"):
        experiment.submit(ScriptRunConfig(".", "nothing.py"))


def test_a_pipeline_is_not_submitted_and_the_alternative_is_named(experiment):
    with pytest.raises(NotAvailable, match="submit_child"):
        experiment.submit(object())


def test_place_in_line_retries_and_limits_reach_the_server_and_a_file(experiment, folder, row):
    (folder / "train.py").write_text("pass")
    config = RunConfiguration()
    config.priority, config.max_retries, config.retries_lost_workers = 5, 2, True
    config.not_before = "2099-01-02T03:04:05+00:00"
    config.memory_bytes, config.process_count, config.cpu_seconds, config.file_bytes = 2**30, 10, 60, 1000
    config.save(folder, "patient")
    loaded = RunConfiguration.load(folder, "patient")

    run = row(experiment.submit(ScriptRunConfig(source_directory=".", script="train.py", run_config=loaded)))

    assert (run.priority, run.max_retries, run.retries_lost_workers) == (5, 2, True)
    assert run.not_before.isoformat() == "2099-01-02T03:04:05+00:00"
    assert (run.memory_bytes, run.process_count, run.cpu_seconds, run.file_bytes) == (2**30, 10, 60, 1000)


def test_a_time_that_is_none_is_refused():
    config = RunConfiguration()
    config.not_before = "tomorrow"

    with pytest.raises(UserErrorException, match="not_before is 'tomorrow'"):
        ScriptRunConfig(source_directory=".", script="train.py", run_config=config)._body()
