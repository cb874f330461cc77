"""Metrics go out in the background, in order, once, whatever the server does meanwhile."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.utils import timezone

from runs.actions import tokens
from runs.models import MetricPoint
from studio_sdk import outbox as outbox_module
from studio_sdk.core import Experiment, Workspace
from studio_sdk.core.authentication import TokenAuthentication
from studio_sdk.outbox import Outbox, Sink
from studio_sdk.transport import Client

ROOT = Path(__file__).resolve().parents[2]

LOGS_100_000 = """
import sys, time
from azureml.core import Run
run = Run.get_context()
took = 0.0
for part in range(10):
    started = time.thread_time()
    for number in range(10_000):
        run.log("loss", part * 10_000 + number)
    took += time.thread_time() - started
    print(part, flush=True)
    sys.stdin.readline()
print(took / 100_000 * 1e6)
"""
LOGS_AND_ENDS = """
from azureml.core import Run
run = Run.get_context()
run.log_list("loss", range(5))
print("done")
"""


class WebServer:
    """A web server in a process of its own, on the tests' database, that can be killed and started again."""

    def __init__(self, home: Path):
        # Held while the server is down, too: else another process may be given it. Granian shares it with its kind.
        self.place = socket.socket()
        self.place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.place.bind(("127.0.0.1", 0))
        self.port = self.place.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        database = connection.settings_dict
        sqlite = f"sqlite:///{database['NAME']}"
        postgres = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "studio.settings",
            "STUDIO_HOME": str(home),
            "STUDIO_URL": self.url,
            "STUDIO_SECRET_KEY": django_settings.SECRET_KEY,
            "DATABASE_URL": sqlite if connection.vendor == "sqlite" else postgres,
        }
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start it and wait until it answers. If it runs, nothing happens."""
        if self.process is not None:
            return
        command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--blocking-threads", "2", "studio.wsgi:application"]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        ends_at = time.monotonic() + 120
        while not self._answers():
            assert self.process.poll() is None
            assert time.monotonic() < ends_at
            time.sleep(0.05)

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(60)
            self.process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=1):
                return True
        except OSError:
            return False


@pytest.fixture(scope="module")
def standing_web(django_db_setup, tmp_path_factory) -> Iterator[WebServer]:
    """One server for all of these tests, on the tests' database."""
    web = WebServer(tmp_path_factory.mktemp("web-home"))
    yield web
    web.kill()
    web.place.close()


@pytest.fixture
def web(person, standing_web) -> WebServer:
    standing_web.start()
    return standing_web


@pytest.fixture
def inside(web, person) -> dict[str, str]:
    """The environment of a script that a worker would start, with an interactive run in place of a script's."""
    secret = tokens.create_token(user=person, name="tests", at=timezone.now())[1]
    workspace = Workspace.get("default", auth=TokenAuthentication(secret, web.url))
    run = Experiment(workspace, "explore-runs").start_logging(snapshot_directory=None)
    return {
        "STUDIO_URL": web.url,
        "STUDIO_TOKEN": secret,
        "STUDIO_RUN_ID": run.id,
        "STUDIO_EXPERIMENT": "explore-runs",
        "STUDIO_WORKSPACE": "default",
    }


def script(code: str, environment: dict[str, str], **options) -> subprocess.Popen:
    paths = os.pathsep.join([str(ROOT / "sdk" / "studio_sdk" / "startup"), str(ROOT / "sdk")])
    known = {**os.environ, "PYTHONPATH": paths, **environment}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=known,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.process
@pytest.mark.slow
def test_100_000_points_arrive_in_order_though_the_server_is_killed_twice(folder, web, inside):
    process = script(LOGS_100_000, {**inside, "STUDIO_EXIT_WAIT_SECONDS": "300"})
    assert process.stdin is not None
    assert process.stdout is not None

    for part in range(10):
        assert process.stdout.readline().strip() == str(part)
        if part in (2, 6):
            web.kill()
        process.stdin.write("\n")
        process.stdin.flush()
        if part in (4, 8):
            web.start()
    out, err = process.communicate(timeout=360)

    assert process.returncode == 0, err
    values = list(MetricPoint.objects.order_by("step", "id").values_list("value", flat=True))
    assert values == list(range(100_000))
    assert float(out) < 20  # microseconds of the script's own time for each call


@pytest.mark.process
def test_a_server_that_stays_away_costs_one_warning_and_a_file_that_sync_sends(folder, web, inside):
    web.kill()
    process = script(LOGS_AND_ENDS, {**inside, "STUDIO_EXIT_WAIT_SECONDS": "0.5"})
    out, err = process.communicate(timeout=120)
    [spool] = folder.rglob("studio-metrics-*.jsonl") if MetricPoint.objects.count() == 0 else [None]

    assert (process.returncode, out) == (0, "done\n")
    assert spool is not None
    assert spool.stat().st_mode & 0o777 == 0o600
    assert f"studio sync {spool}" in err
    assert len(err.splitlines()) <= 2
    assert inside["STUDIO_TOKEN"] not in spool.read_text()

    web.start()
    twice = spool.with_name("again.jsonl")
    twice.write_text(spool.read_text())
    for file in (spool, twice):
        command = [sys.executable, "-m", "studio_sdk.cli", "sync", str(file)]
        environment = {**os.environ, **inside, "PYTHONPATH": str(ROOT / "sdk")}
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)

    assert list(MetricPoint.objects.order_by("id").values_list("value", flat=True)) == [0, 1, 2, 3, 4]
    assert not spool.exists()


@pytest.mark.process
@pytest.mark.parametrize("end", ["", "raise SystemExit(3)", "1 / 0"])
def test_what_was_logged_is_sent_however_the_script_ends(folder, web, inside, end):
    process = script(LOGS_AND_ENDS + end, inside)
    process.communicate(timeout=120)

    assert MetricPoint.objects.count() == 5


@pytest.mark.process
def test_children_of_multiprocessing_send_theirs(folder, web, inside):
    code = """
import multiprocessing
from azureml.core import Run

def work(number):
    run.log("from a child", number)

run = Run.get_context()
run.log("from the parent", 0)
with multiprocessing.get_context("fork").Pool(2) as pool:
    pool.map(work, range(4), chunksize=1)
    pool.close()
    pool.join()
"""
    process = script(code, inside)
    _, err = process.communicate(timeout=120)

    assert process.returncode == 0, err
    names = MetricPoint.objects.values_list("metric__name", flat=True)
    assert sorted(names) == ["from a child"] * 4 + ["from the parent"]


@pytest.fixture
def box(monkeypatch) -> tuple[Outbox, list]:
    """An outbox of its own, and the batches that it sends."""
    sent: list = []
    monkeypatch.setattr(outbox_module, "send", sent.append)
    return Outbox(), sent


def test_points_logged_in_a_row_are_one_batch(box):
    box, sent = box
    sink = Sink(Client("http://127.0.0.1:1"), "run")

    for number in range(100):
        box.put(sink, "loss", "number", number, None, 0.0)
    box.flush(5)

    assert sum(len(batch.points) for batch in sent) == 100
    assert len(sent) <= 2


def test_a_spool_file_that_was_cut_off_is_read_to_its_last_whole_line(tmp_path):
    line = {"url": "http://127.0.0.1:1", "run_id": "r", "batch_id": "b", "points": [{"name": "a", "value": 1}]}
    file = tmp_path / "spool.jsonl"
    file.write_text(json.dumps(line) + "\n" + json.dumps(line)[:20])

    batches = outbox_module.read_spool(file, Client)

    assert [(batch.sink.run_id, batch.batch_id) for batch in batches] == [("r", "b")]


def test_a_flush_waits_for_a_batch_that_the_thread_is_just_taking(monkeypatch):
    box, sent, is_taking = Outbox(), [], threading.Event()
    take = box._take
    monkeypatch.setattr(outbox_module, "send", lambda batch: sent.extend(batch.points))
    monkeypatch.setattr(box, "_take", lambda: (take(), is_taking.set(), time.sleep(0.3))[0])

    box.put(Sink(Client("http://127.0.0.1:1"), "run"), "loss", "number", 0.5, 1, 0.0)
    is_taking.wait(5)

    assert box.flush(5)
    assert len(sent) == 1
