"""Real workers on a database of their own, for tests that start real processes."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.db.utils import OperationalError

from runs import storage
from runs.actions import cancellation, snapshots, submission
from runs.actions.script_run_config import ScriptRunConfig
from runs.execution import host, kernel, leftovers
from runs.models import Attempt, Experiment, Run, RunEvent, Worker
from tests import factories

ROOT = Path(__file__).resolve().parents[3]
# Short times, so that what takes a minute in life takes a second here.
QUICK = {
    "STUDIO_LEASE_SECONDS": 1.5,
    # Long enough for who is to be found silent, and to come back in time, on a machine that is slow just then.
    "STUDIO_LOST_SECONDS": 8.0,
    "STUDIO_GRACE_SECONDS": 1.0,
    "STUDIO_CANCEL_POLL_SECONDS": 0.1,
    "STUDIO_POLL_SECONDS": 0.1,
    "STUDIO_RETRY_SECONDS": 0.1,
    # Beside tests, which are not nice, a script would wait for its turn.
    "STUDIO_NICE": 0,
}
# Goes on when `site.let_go` says so.
WAITER = """
import os, time
print("ready", flush=True)
while not os.path.exists("outputs/go"): time.sleep(0.05)
print("done")
"""
T = TypeVar("T")


def wait_for(look: Callable[[], T], *, seconds: float = 30, what: str = "") -> T:
    """Return the first true answer of `look`."""
    deadline = time.monotonic() + seconds
    while not (answer := look()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what or look}"
        time.sleep(0.02)
    return answer


def keeps_within(seconds: float, play: Callable[[], timedelta]) -> bool:
    """Return whether `play` says that it took at most so long, at the third try at last.

    What a busy machine adds comes and goes; what the product takes too long it takes each time.
    """
    return any(play() <= timedelta(seconds=seconds) for _ in range(3))


@dataclass
class Site:
    """A database, a folder and workers, all of one test's own; rows are read in the test's process."""

    home: Path
    experiment: Experiment
    owner: Any
    environment: dict[str, str]
    children: list[subprocess.Popen] = field(default_factory=list)

    def start_worker(self, **environment: str) -> subprocess.Popen:
        """Start a real Celery worker for the compute target `spare`, and wait until it has said that it is there."""
        environment = {"STUDIO_TARGETS": "spare", **environment}
        log = self.home / f"worker-{uuid.uuid4().hex[:6]}.log"
        worker = _start_worker({**self.environment, **environment}, log)
        self.children.append(worker)
        wait_for(lambda: Worker.objects.filter(pid=worker.pid).exists(), seconds=90, what=f"the worker, see {log}")
        return worker

    def submit(self, code: str, *, files: dict[str, str] | None = None, **config: Any) -> Run:
        """Submit a script `train.py` with this code."""
        members = {"train.py": code, **(files or {})}
        snapshot = snapshots.store_files(
            workspace=self.experiment.workspace,
            files=[(name, BytesIO(text.encode())) for name, text in members.items()],
            at=host.now(),
        )
        config = {"script": "" if "command" in config else "train.py", **config}
        return submission.submit_script(
            experiment=self.experiment,
            config=ScriptRunConfig(**config),
            snapshot=snapshot,
            by=self.owner,
            at=host.now(),
        )

    def cancel(self, run: Run, **how: Any) -> Run:
        """Ask a run to stop, as its owner."""
        return cancellation.request_cancel(run=Run.objects.get(pk=run.pk), by=self.owner, at=host.now(), **how)

    def status(self, run: Run) -> str:
        """Return the status that the rows have now."""
        return Run.objects.values_list("status", flat=True).get(pk=run.pk)

    def wait_until(self, run: Run, *statuses: str, seconds: float = 30) -> Run:
        """Wait until the run has one of these statuses; return it."""
        wait_for(lambda: self.status(run) in statuses, seconds=seconds, what=f"{statuses} of {run}")
        return Run.objects.get(pk=run.pk)

    def wait_until_ended(self, run: Run, *, seconds: float = 30) -> Run:
        """Wait until the run is terminal and its attempt is over; return it."""
        wait_for(lambda: Run.objects.get(pk=run.pk).is_terminal, seconds=seconds, what=f"the end of {run}")
        return Run.objects.get(pk=run.pk)

    def log(self, run: Run, name: str = "user_logs/std_log.txt") -> bytes:
        """Return a whole log."""
        with suppress(FileNotFoundError):
            return storage.read_log(run.pk, name, offset=0, limit=2**30)
        return b""

    def wait_for_log(self, run: Run, text: bytes) -> bytes:
        """Wait until the script has printed `text`; return all that it printed."""
        wait_for(lambda: text in self.log(run), what=f"{text!r} in the log of {run}")
        return self.log(run)

    def attempt(self, run: Run) -> Attempt:
        """Return the run's latest attempt."""
        return Attempt.objects.select_related("run", "compute_target").filter(run=run).latest("number")

    def supervisor(self, run: Run) -> kernel.ProcessId:
        """Return the process that supervises the run."""
        attempt = wait_for(lambda: Attempt.objects.filter(run=run, pid__isnull=False).order_by("-number").first())
        return kernel.ProcessId(attempt.pid, int(attempt.pid_started_at))

    def freeze(self, run: Run) -> kernel.ProcessId:
        """Stop the supervisor of a run that is Running, at a moment at which it holds no lock; return it."""
        self.wait_until(run, "Running")
        supervisor = self.supervisor(run)
        stop_unlocked(supervisor, lambda: self._is_locked(run, supervisor))
        return supervisor

    def let_go(self, run: Run) -> None:
        """Let a script go on that waits for the file `outputs/go`."""
        (host.work_folder(self.attempt(run)) / "code" / "outputs" / "go").touch()

    def _is_locked(self, run: Run, supervisor: kernel.ProcessId) -> bool:
        if connection.vendor == "sqlite":
            return is_writer(supervisor)
        try:
            with transaction.atomic():
                Run.objects.select_for_update(nowait=True).get(pk=run.pk)
                Attempt.objects.select_for_update(nowait=True).get(run=run, ended_at=None)
        except OperationalError:
            return True
        return False

    def events(self, run: Run) -> list[str]:
        """Return the statuses that the run went through."""
        return list(RunEvent.objects.filter(run=run).order_by("id").values_list("to_status", flat=True))

    def stop(self) -> None:
        """Kill every process that this site started."""
        for child in self.children:
            if child.poll() is None:
                child.terminate()
        for child in self.children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for attempt in Attempt.objects.live().filter(pid__isnull=False):
            kernel.ProcessId(attempt.pid, int(attempt.pid_started_at)).send(signal.SIGKILL)
        for process, cookie in list(kernel.cookies()):
            if host.is_our_cookie(cookie):
                process.send(signal.SIGKILL)


def _start_worker(environment: dict[str, str], log: Path) -> subprocess.Popen:
    argv = [sys.executable, "-m", "celery", "-A", "studio", "worker", "--loglevel", "INFO", "--concurrency", "4"]
    argv += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with log.open("wb") as output:
        return subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True)


def stop_unlocked(process: kernel.ProcessId, is_locked: Callable[[], bool]) -> None:
    """Stop a process, all of its threads, at a moment at which it holds no lock."""
    while True:
        process.send(signal.SIGSTOP)
        wait_for(lambda: _states_of_threads(process) == {"T"}, what=f"{process} to stop")
        if not is_locked():
            return
        process.send(signal.SIGCONT)
        time.sleep(0.01)


def _states_of_threads(process: kernel.ProcessId) -> set[str]:
    tasks = Path(f"/proc/{process.pid}/task")
    return {fields[0] for task in tasks.glob("*") if (fields := kernel.stat(f"{process.pid}/task/{task.name}"))}


def is_writer(process: kernel.ProcessId) -> bool:
    """Return whether the process holds the lock to write to the SQLite file."""
    return connection.vendor == "sqlite" and leftovers.writer() == process


def marked(marker: str) -> list[int]:
    """Return the processes that have `marker` in their command line, and are no zombies."""
    found = []
    for pid in kernel.all_processes():
        with suppress(OSError):
            identity = kernel.ProcessId.of(pid)
            if marker.encode() in Path(f"/proc/{pid}/cmdline").read_bytes() and identity and identity.is_alive():
                found.append(pid)
    return found


@pytest.fixture
def quick(settings):
    """Short leases and grace times in this process."""
    for name, value in QUICK.items():
        setattr(settings, name, value)
    return settings


@pytest.fixture(scope="session")
def home(django_db_setup, django_db_blocker) -> Iterator[Path]:
    """A folder for the bytes of all runs of these tests."""
    home = Path(tempfile.mkdtemp(prefix="studio-execution-"))
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def environment(home: Path) -> dict[str, str]:
    """What a worker needs to know to work on the tests' database and folder, without a broker."""
    database = connection.settings_dict
    address = (
        f"sqlite:///{database['NAME']}"
        if connection.vendor == "sqlite"
        else "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
    )
    return {
        **os.environ,
        **{name: str(value) for name, value in QUICK.items()},
        "DJANGO_SETTINGS_MODULE": "studio.settings",
        "STUDIO_HOME": str(home),
        "STUDIO_SECRET_KEY": settings.SECRET_KEY,
        "STUDIO_TARGETS": "local",
        "DATABASE_URL": address,
        "REDIS_URL": f"redis+socket://{home}/no-broker.sock",
        "STUDIO_LOG_LEVEL": "INFO",
    }


@pytest.fixture(scope="package")
def standing_worker(home: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen]:
    """One worker for all tests here that do not harm it; gone when those of other folders claim runs themselves."""
    worker = _start_worker(environment, home / "standing-worker.log")
    yield worker
    worker.send_signal(signal.SIGCONT)
    worker.terminate()
    worker.wait(60)


@pytest.fixture
def site(transactional_db, quick, home: Path, environment: dict[str, str]) -> Iterator[Site]:
    """Everything that a run needs but a worker: the tests' database, a folder, a compute target with two slots."""
    quick.STUDIO_HOME = home
    workspace = factories.workspace("default")
    owner = factories.user("olivia")
    factories.member(workspace, owner, "owner")
    factories.compute_target("local", slots=2)
    factories.compute_target("spare", slots=2)
    built = Site(home, factories.experiment(workspace, "explore-runs"), owner, environment)
    try:
        yield built
    finally:
        built.stop()


_ready: set[int] = set()


@pytest.fixture
def worker(site: Site, standing_worker: subprocess.Popen) -> Iterator[subprocess.Popen]:
    """A real worker, which serves `local` and has no broker."""
    standing_worker.send_signal(signal.SIGCONT)
    if standing_worker.pid not in _ready:  # only the first test waits for its start, however long that takes
        wait_for(lambda: Worker.objects.filter(pid=standing_worker.pid).exists(), seconds=120, what="the worker")
        _ready.add(standing_worker.pid)
    yield standing_worker
    if connection.vendor == "postgresql":
        # What it reads now would deadlock with the emptying of all tables.
        standing_worker.send_signal(signal.SIGSTOP)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
