"""Help and completion of the command line, looked at without a server."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from studio_sdk.cli.app import app

ROOT = Path(__file__).resolve().parents[2]


def _commands(command, path=()):
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from _commands(inner, (*path, name))
    else:
        yield " ".join(path), command


COMMANDS = dict(_commands(get_command(app)))


def test_the_verbs_are_there():
    assert set(COMMANDS) == {
        *("login", "logout", "whoami", "exec", "sync", "folder attach", "experiment list", "computetarget list"),
        *(f"run {verb}" for verb in ("list", "show", "cancel", "update", "download-logs", "monitor-logs", "metrics")),
        *("run submit-script", "run submit-pipeline", "import mlflow"),
        *(f"pipeline {verb}" for verb in ("list", "show", "validate", "run", "publish", "create", "enable", "disable")),
        *(f"pipeline schedule {verb}" for verb in ("create", "list", "show", "pause", "resume", "delete")),
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_shows_an_example_of_it(name):
    example = re.search(r"Example: (studio .+)", COMMANDS[name].help or "")

    assert example is not None
    assert example[1].startswith(f"studio {name}")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained(name):
    options = [each for each in COMMANDS[name].params if each.param_type_name == "option" and each.name != "help"]

    assert [each.name for each in options if not each.help] == []


@pytest.mark.process
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_can_complete(shell):
    environment = {
        "PYTHONPATH": str(ROOT / "sdk"),
        "PATH": "/usr/bin:/bin",
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    command = [sys.executable, "-m", "studio_sdk.cli", "--show-completion", shell]

    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, bool(done.stdout.strip())) == (0, True), done.stderr


@pytest.mark.parametrize(
    "file", ["README.md", "sdk/README.md", "docs/sdk.md", "docs/coming-from-azure-ml.md", "docs/mlflow.md"]
)
def test_the_documents_name_only_commands_that_are_there(file):
    text = (ROOT / file).read_text()
    said = {
        " ".join(words.split())
        for words in re.findall(
            r"studio ((?:run|pipeline schedule|pipeline(?! schedule)|folder|experiment|computetarget|import) [\w-]+)",
            text,
        )
    }

    assert said <= set(COMMANDS)
    assert typer.__version__
