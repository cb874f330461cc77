"""The SDK against the real server: Django's live server, and a real worker where one is needed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from runs.actions import cancellation, tokens
from runs.models import Attempt, Run
from tests import factories
from tests.sdk.shell import start

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
    monkeypatch.setenv("STUDIO_HOME", str(empty))


@pytest.fixture(autouse=True)
def no_heartbeats(monkeypatch) -> None:
    """No heartbeat between two requests of a test: it would be counted with them, or change the run's document."""
    monkeypatch.setattr(heartbeats, "_INTERVAL_SECONDS", 3600.0)


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


@pytest.fixture(scope="session")
def studio_home(tmp_path_factory) -> Path:
    """The folder of the bytes of all runs."""
    return tmp_path_factory.mktemp("studio-home")


@pytest.fixture
def server(person, live_server, settings, studio_home) -> Iterator[str]:
    """The address of the live server. What a worker still runs at the test's end is stopped."""
    settings.STUDIO_URL = live_server.url
    settings.STUDIO_HOME = studio_home
    yield live_server.url
    outbox.flush(60)  # a token that is gone meanwhile would make it keep all that comes later in a file
    heartbeats._driven.clear()
    # A worker that another test asked for stands by, and may have taken a run of this one.
    for run in Run.objects.active().exclude(run_type="interactive"):
        with suppress(cancellation.AlreadyEnded):  # with its parent, say
            cancellation.request_cancel(run=run, by=run.submitted_by, at=timezone.now(), grace_seconds=0)
    ends_at = time.monotonic() + 60
    while Attempt.objects.live().exists() and time.monotonic() < ends_at:
        time.sleep(0.1)


@pytest.fixture(scope="package")
def standing_worker(live_server, studio_home) -> Iterator[subprocess.Popen]:
    """A real worker for all compute targets, without a broker, on the tests' database."""
    database = connection.settings_dict
    sqlite = f"sqlite:///{database['NAME']}"
    postgres = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "studio.settings",
        "STUDIO_HOME": str(studio_home),
        "STUDIO_SECRET_KEY": django_settings.SECRET_KEY,
        "STUDIO_URL": live_server.url,
        "DATABASE_URL": sqlite if connection.vendor == "sqlite" else postgres,
        "REDIS_URL": f"redis+socket://{studio_home}/no-broker.sock",
        "STUDIO_GRACE_SECONDS": "0.5",
        "STUDIO_POLL_SECONDS": "0.1",
        "STUDIO_CANCEL_POLL_SECONDS": "0.1",
        "STUDIO_NICE": "0",  # beside tests, which are not nice, a script would wait for its turn
    }
    command = [sys.executable, "-m", "celery", "-A", "studio", "worker", "--concurrency", "4"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with (studio_home / "worker.log").open("wb") as log:
        worker = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
    yield worker
    worker.terminate()
    worker.wait(60)


@pytest.fixture
def worker(server, standing_worker) -> None:
    """A real worker."""


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
def studio(signed_in, folder) -> Callable[..., subprocess.CompletedProcess]:
    """Runs `studio ...` and returns what it said."""

    def execute(*arguments: str, code: int = 0, **options) -> subprocess.CompletedProcess:
        process = start([str(each) for each in arguments], **options)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, out + err
        return subprocess.CompletedProcess(arguments, code, out, err)

    return execute


@pytest.fixture
def python() -> Callable[..., subprocess.CompletedProcess]:
    """Runs code in another interpreter, as a worker would start it, and returns what it said."""

    def execute(code: str, **environment: str) -> subprocess.CompletedProcess:
        paths = [str(ROOT / "sdk" / "studio_sdk" / "startup"), str(ROOT / "sdk")]
        known = {name: value for name, value in os.environ.items() if not name.startswith("STUDIO_")}
        known["PYTHONPATH"] = os.pathsep.join(paths)
        known.update(environment)
        return subprocess.run(
            [sys.executable, "-c", code], env=known, capture_output=True, text=True, timeout=120, check=False
        )

    return execute
