"""`azureml` means ours where nobody else has it, and never otherwise."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STARTUP = ROOT / "sdk" / "studio_sdk" / "startup"

# What scripts in the wild import.
IMPORTS = [
    "import azureml.core",
    "from azureml.core import Workspace, Experiment, Run, ScriptRunConfig, RunConfiguration, Environment",
    "from azureml.core import ComputeTarget, Dataset, Datastore, Model",
    "from azureml.core.experiment import Experiment",
    "from azureml.core.run import Run, _OfflineRun, _SubmittedRun",
    "from azureml.core.script_run_config import ScriptRunConfig",
    "from azureml.core.runconfig import RunConfiguration, DockerConfiguration",
    "from azureml.core.environment import Environment",
    "from azureml.core.conda_dependencies import CondaDependencies",
    "from azureml.core.compute import ComputeTarget, AmlCompute",
    "from azureml.core.compute_target import ComputeTargetException",
    "from azureml.core.workspace import Workspace",
    "from azureml.core.authentication import InteractiveLoginAuthentication, ServicePrincipalAuthentication",
    "from azureml.widgets import RunDetails",
    "from azureml.pipeline.core import Pipeline, PipelineData, PipelineParameter, PipelineRun, StepRun, StepSequence",
    "from azureml.pipeline.core import PublishedPipeline, PipelineEndpoint, Schedule, ScheduleRecurrence",
    "from azureml.pipeline.core.graph import PipelineParameter",
    "from azureml.pipeline.core.run import PipelineRun, StepRun",
    "from azureml.pipeline.core.schedule import Schedule, ScheduleRecurrence, TimeZone",
    "from azureml.pipeline.steps import PythonScriptStep, CommandStep, AutoMLStep, HyperDriveStep, ParallelRunStep",
    "from azureml.exceptions import UserErrorException, ActivityFailedException",
]


def test_everything_that_people_import_is_there(python):
    done = python("\n".join(IMPORTS) + "\nimport studio_sdk.core as own; print(azureml.core.Run is own.Run)")

    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_the_version_is_a_text(python):
    assert python("import azureml.core; print(azureml.core.VERSION)").stdout.count(".") == 2


def test_importing_the_alias_enables_it_in_a_running_interpreter():
    code = "import studio_sdk.azureml_alias; from azureml.core import Run; print(Run.__module__)"
    command = [sys.executable, "-c", code]

    done = subprocess.run(command, env={"PYTHONPATH": str(ROOT / "sdk")}, capture_output=True, text=True, check=True)

    assert done.stdout == "studio_sdk.core.run\n"


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("azureml.pipeline.wrapper", "azureml.pipeline.core"),
        ("azureml.train.hyperdrive", "HyperDrive"),
        ("azureml.train.sklearn", "submit_child"),
        ("azureml.data.dataset_factory", "datasets"),
        ("azureml.nothing", "coming-from-azure-ml"),
    ],
)
def test_what_is_not_there_says_what_to_use_instead(python, module, words):
    done = python(f"import {module}")

    assert "NotAvailableImport" in done.stderr
    assert words in done.stderr


def test_a_name_that_is_not_there_says_so_when_it_is_used(python):
    done = python("from azureml.core import Dataset\nDataset.get_by_name(None, 'x')")

    assert "Studio has no Dataset" in done.stderr


@pytest.fixture
def installed(tmp_path) -> Path:
    """A folder with somebody else's `azureml.core`, as site-packages would have it."""
    package = tmp_path / "site" / "azureml" / "core"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("")
    (package / "__init__.py").write_text("VERSION = 'the real one'\nclass Run: pass\n")
    return tmp_path / "site"


def test_a_real_azureml_core_is_never_shadowed(python, installed):
    path = f"{STARTUP}:{ROOT / 'sdk'}:{installed}"

    done = python("import azureml.core; print(azureml.core.VERSION)", PYTHONPATH=path)

    assert done.stdout == "the real one\n"


@pytest.mark.parametrize("module", ["azureml.widgets", "azureml.pipeline", "azureml.core.run"])
def test_beside_a_real_azureml_core_nothing_is_ours(python, installed, module):
    done = python(f"import {module}", PYTHONPATH=f"{STARTUP}:{ROOT / 'sdk'}:{installed}")

    assert "ModuleNotFoundError: No module named" in done.stderr


def test_another_package_below_azureml_does_not_hide_ours(python, tmp_path):
    (tmp_path / "azureml" / "mlflow").mkdir(parents=True)
    (tmp_path / "azureml" / "__init__.py").write_text("")
    (tmp_path / "azureml" / "mlflow" / "__init__.py").write_text("HERE = 'theirs'")
    code = "import azureml.mlflow; from azureml.core import Run; print(azureml.mlflow.HERE, Run.__module__)"

    done = python(code, PYTHONPATH=f"{STARTUP}:{ROOT / 'sdk'}:{tmp_path}")

    assert done.stdout == "theirs studio_sdk.core.run\n"


def test_the_start_up_hook_gives_way_to_another_sitecustomize(python, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("print('theirs ran')")

    done = python("from azureml.core import Run; print('ours too')", PYTHONPATH=f"{STARTUP}:{ROOT / 'sdk'}:{tmp_path}")

    assert done.stdout == "theirs ran\nours too\n"


def test_the_start_up_hook_alone_finds_the_client_beside_it(python):
    done = python("from azureml.core import Run; print(Run.__module__)", PYTHONPATH=str(STARTUP))

    assert done.stdout == "studio_sdk.core.run\n"


def test_the_start_up_hook_imports_nothing_of_ours(python):
    done = python("import sys; print([n for n in sys.modules if n.startswith(('studio', 'azureml'))])")

    assert done.stdout == "[]\n"


def test_the_core_needs_the_standard_library_only():
    code = "import studio_sdk.core, studio_sdk.pipeline.core, studio_sdk.widgets, studio_sdk.azureml_alias; print('ok')"
    command = [sys.executable, "-S", "-c", code]

    done = subprocess.run(command, env={"PYTHONPATH": str(ROOT / "sdk")}, capture_output=True, text=True, check=False)

    assert done.stdout == "ok\n", done.stderr
