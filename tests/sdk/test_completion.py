"""What the shell completes: names from the server, in bounded time, silent about trouble."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio_sdk.cli import completion
from studio_sdk.core import Experiment

SDK = Path(__file__).resolve().parents[2] / "sdk"

pytestmark = pytest.mark.process


def complete(line: str, *, seconds: float = 30) -> list[str]:
    """Return what bash is offered at the end of `line` if the server may take so long."""
    words = line.split(" ")
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_STUDIO_COMPLETE": "complete_bash"}
    command = "import sys; sys.argv[0] = 'studio'; from studio_sdk.cli import completion, main;"
    command += f" completion._SECONDS = {seconds}; main()"
    done = subprocess.run(
        [sys.executable, "-c", command],
        env={**os.environ, "PYTHONPATH": str(SDK), **asked},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_runs_experiments_and_targets_are_offered(workspace, run):
    Experiment(workspace, "other")

    assert complete("studio run show -r ") == [run.id]
    assert complete(f"studio run cancel -r {run.id[:4]}") == [run.id]
    assert complete("studio run show -r none") == []
    assert complete("studio run list -e ot") == ["other"]
    assert complete("studio run submit-script --target l") == ["local"]


def test_without_a_login_nothing_is_offered_and_nothing_said(folder):
    assert complete("studio run show -r ") == []


def test_a_server_that_does_not_answer_is_given_up_soon(folder, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("STUDIO_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("STUDIO_TOKEN", "stu_x")

        started = time.monotonic()
        offered = complete("studio run show -r ", seconds=completion._SECONDS)

    assert offered == []
    assert completion._SECONDS < 2
    assert time.monotonic() - started < 30  # its client alone would wait two minutes
