"""The SDK against the real server: Django's live server, and a real worker where one is needed."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from runs.actions import tokens
from runs.models import Run
from tests import factories

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "sdk"))

from studio_sdk import heartbeats  # noqa: E402
from studio_sdk.core import Experiment, Workspace  # noqa: E402
from studio_sdk.outbox import outbox  # noqa: E402


@pytest.fixture(autouse=True)
def nobody_at_home(monkeypatch, tmp_path_factory) -> None:
    """No login, no server and no run of the person who runs the tests."""
    for name in list(os.environ):
        if name.startswith(("STUDIO_URL", "STUDIO_TOKEN", "STUDIO_RUN_ID", "STUDIO_EXPERIMENT", "STUDIO_WORKSPACE")):
            monkeypatch.delenv(name)
    empty = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("STUDIO_CONFIG_HOME", str(empty))
    # The checkout's own data would be found by way of the client's place.
    monkeypatch.setattr("studio_sdk.connection._token_files", lambda: iter(()))


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty folder, in which the test stands."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def person(transactional_db) -> User:
    """Olivia, who owns the workspace `default`."""
    workspace = factories.workspace("default")
    person = factories.user("olivia")
    factories.member(workspace, person, "owner")
    factories.compute_target("local")
    return person


@pytest.fixture
def server(person, live_server, settings, tmp_path_factory) -> Iterator[str]:
    """The address of the live server, which keeps its bytes in a folder of this test."""
    settings.STUDIO_URL = live_server.url
    settings.STUDIO_HOME = tmp_path_factory.mktemp("studio-home")
    yield live_server.url
    outbox.flush(5)
    heartbeats._driven.clear()


@pytest.fixture
def token(person, server) -> str:
    """An API token of Olivia's."""
    return tokens.create_token(user=person, name="tests", at=timezone.now())[1]


@pytest.fixture
def signed_in(server, token, monkeypatch) -> str:
    """The environment names server and token, as `studio login` would."""
    monkeypatch.setenv("STUDIO_URL", server)
    monkeypatch.setenv("STUDIO_TOKEN", token)
    return server


@pytest.fixture
def workspace(signed_in) -> Workspace:
    """The workspace, through the SDK."""
    return Workspace.get("default")


@pytest.fixture
def experiment(workspace, folder) -> Experiment:
    """The experiment `explore-runs`, through the SDK."""
    return Experiment(workspace, "explore-runs")


@pytest.fixture
def run(experiment):
    """An interactive run, without code."""
    return experiment.start_logging(snapshot_directory=None)


@pytest.fixture
def row() -> Callable[..., Run]:
    """The row of a run that the SDK holds."""
    return lambda run: Run.objects.get(run_id=run.id)


@pytest.fixture
def python() -> Callable[..., subprocess.CompletedProcess]:
    """Runs code in another interpreter, as a worker would start it, and returns what it said."""

    def execute(code: str, **environment: str) -> subprocess.CompletedProcess:
        paths = [str(ROOT / "sdk" / "studio_sdk" / "startup"), str(ROOT / "sdk")]
        known = {name: value for name, value in os.environ.items() if not name.startswith("STUDIO_")}
        known["PYTHONPATH"] = os.pathsep.join(paths)
        known.update(environment)
        return subprocess.run(
            [sys.executable, "-c", code], env=known, capture_output=True, text=True, timeout=60, check=False
        )

    return execute
