"""What dies, freezes or goes away: nothing is lost, nothing runs twice, nothing is stuck."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
import time
import uuid
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection, transaction

from runs import storage
from runs.execution import agent, host, kernel, launcher, leftovers, outcome, process, shutdown
from runs.execution.outcome import Outcome
from runs.models import Attempt, Run, RunEvent, Worker
from runs.status import RunStatus
from tests.runs.execution.conftest import ROOT, WAITER, marked, wait_for

pytestmark = [pytest.mark.process, pytest.mark.slow]

SLEEPER = "import time; print('ready', flush=True); time.sleep({}); print('done')"


@pytest.fixture
def mark():
    """A word that marks the processes of one test."""
    return f"mark-{uuid.uuid4().hex}"


def forking(mark):
    return textwrap.dedent(f"""
        import subprocess, sys, time
        for _ in range(3):
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "{mark}"], start_new_session=True)
        print("ready", flush=True)
        time.sleep(60)
    """)


def test_a_supervisor_that_is_killed_is_noticed_and_nothing_of_its_run_is_left(site, worker, mark):
    run = site.submit(forking(mark), arguments=(mark,))
    site.wait_for_log(run, b"ready")
    site.wait_until(run, "Running")

    site.supervisor(run).send(signal.SIGKILL)
    ended = site.wait_until_ended(run)

    assert site.events(run)[-2:] == ["NotResponding", "Failed"]
    assert ended.reason.startswith("Worker lost.")
    assert host.name() in ended.reason
    assert "last heard at 20" in ended.reason
    wait_for(lambda: marked(mark) == [])
    assert site.wait_until_ended(site.submit("print('next')")).status == "Completed"


def test_a_run_whose_supervisor_was_killed_is_tried_again_where_that_was_allowed(site, worker, mark):
    code = "print('ready', flush=True); import time; time.sleep(60)"
    run = site.submit(code, arguments=(mark,), retries_lost_workers=True)
    site.wait_for_log(run, b"ready")

    site.supervisor(run).send(signal.SIGKILL)
    wait_for(lambda: Attempt.objects.filter(run=run, number=2).exists())
    site.cancel(run, grace_seconds=0)
    ended = site.wait_until_ended(run)

    assert (ended.attempt_number, ended.status) == (2, "Canceled")
    assert Attempt.objects.get(run=run, number=1).reason.startswith("Worker lost.")
    assert marked(mark) == []


def test_a_canceled_run_whose_supervisor_was_killed_is_canceled(site, worker, mark):
    run = site.submit(forking(mark), arguments=(mark,))
    site.wait_for_log(run, b"ready")
    supervisor = site.freeze(run)
    site.cancel(run)

    ended = site.wait_until_ended(run, seconds=60)

    assert ended.status == "Canceled"
    assert not supervisor.is_alive()
    wait_for(lambda: marked(mark) == [])


def test_a_supervisor_that_was_frozen_too_long_is_killed_and_settled_once(site, worker, mark):
    run = site.submit(forking(mark), arguments=(mark,))
    site.wait_for_log(run, b"ready")

    supervisor = site.freeze(run)
    ended = site.wait_until_ended(run, seconds=60)
    supervisor.send(signal.SIGCONT)

    assert (ended.status, site.events(run).count("Failed")) == ("Failed", 1)
    wait_for(lambda: marked(mark) == [] and not supervisor.is_alive())


def test_a_supervisor_that_was_frozen_shortly_goes_on(site, worker):
    run = site.submit(WAITER)
    site.wait_for_log(run, b"ready")

    supervisor = site.freeze(run)
    site.wait_until(run, "NotResponding")
    supervisor.send(signal.SIGCONT)
    site.wait_until(run, "Running")
    site.let_go(run)
    ended = site.wait_until_ended(run)

    assert ended.status == "Completed"
    assert site.log(run) == b"ready\ndone\n"
    assert Attempt.objects.filter(run=run).count() == 1


@pytest.mark.postgres
def test_a_supervisor_that_was_frozen_inside_a_transaction_loses_its_locks_and_goes_on(site, worker):
    run = site.submit(WAITER)
    site.wait_for_log(run, b"ready")
    site.wait_until(run, "Running")
    supervisor = site.supervisor(run)

    with transaction.atomic():
        Run.objects.select_for_update().get(pk=run.pk)
        wait_for(lambda: _waiting_for_locks() > 0)
        supervisor.send(signal.SIGSTOP)
    site.wait_until(run, "NotResponding")
    supervisor.send(signal.SIGCONT)
    site.wait_until(run, "Running")
    site.let_go(run)

    assert site.wait_until_ended(run).status == "Completed"
    assert site.events(run)[-5:] == ["Running", "NotResponding", "Running", "Finalizing", "Completed"]


def _waiting_for_locks():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE NOT granted AND datname = current_database()"
        )
        return cursor.fetchone()[0]


@pytest.mark.sqlite
def test_a_process_that_was_frozen_with_the_write_lock_is_woken_by_whoever_waits_for_it(site):
    code = "import os, signal, sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None)"
    code += "; db.execute('BEGIN IMMEDIATE'); os.kill(os.getpid(), signal.SIGSTOP)"
    frozen = subprocess.Popen([sys.executable, "-c", code, connection.settings_dict["NAME"]])
    wait_for(lambda: kernel.stat(frozen.pid)[0] == "T")
    connection.cursor().execute("PRAGMA busy_timeout = 100")
    duty = agent._Duty(lambda: Worker.objects.update(stopped_at=host.now()), every_seconds=0)

    duty.do_when_due()  # in vain

    assert frozen.wait(30) == 0
    Worker.objects.update(stopped_at=host.now())
    wait_for(lambda: leftovers.writer() is None)  # the worker of other tests writes now and then


def test_the_end_of_a_worker_leaves_scripts_running_and_the_next_does_not_start_them_again(site):
    first = site.start_worker()
    run = site.submit(WAITER, compute_target="spare")
    site.wait_until(run, "Running")

    first.kill()
    first.wait()
    second = site.start_worker()
    row = Worker.objects.get(pid=second.pid)
    second.terminate()
    assert second.wait(60) == 0

    site.wait_until(run, "Running")
    assert Attempt.objects.filter(run=run).count() == 1
    assert (row.host, row.boot_id, row.targets) == (host.name(), host.boot_id(), ["spare"])
    assert row.kill_tier in list(process.Tier)
    assert row.has_broker is False
    assert Worker.objects.get(pk=row.pk).stopped_at is not None
    site.cancel(run)  # without any worker
    assert site.wait_until_ended(run).status == "Canceled"


def test_a_cold_shutdown_of_the_worker_leaves_scripts_running(site):
    worker = site.start_worker()
    run = site.submit(WAITER, compute_target="spare")
    site.wait_until(run, "Running")

    worker.send_signal(signal.SIGQUIT)
    worker.wait(60)
    site.let_go(run)

    assert site.wait_until_ended(run).status == "Completed"
    assert Attempt.objects.filter(run=run).count() == 1


CLAIM_AND_DIE = """
import os, django
django.setup()
from runs.execution import claim, host
from runs.models import ComputeTarget
attempt = claim.claim_next(compute_target_id=ComputeTarget.objects.get(name="spare").pk, at=host.now())
print(attempt.run.status, attempt.pid, flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_worker_that_is_killed_between_the_claim_and_the_start_costs_the_run_nothing_but_time(site):
    run = site.submit("print('once')", compute_target="spare")

    play = [sys.executable, "-c", CLAIM_AND_DIE]
    died = subprocess.run(play, env=site.environment, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    site.start_worker()

    assert (died.returncode, died.stdout) == (-signal.SIGKILL, b"Preparing None\n")
    assert site.wait_until_ended(run).status == "Completed"
    assert site.log(run, storage.attempt_path(2, "user_logs/std_log.txt")) == b"once\n"
    assert Attempt.objects.get(run=run, number=1).reason == f"No supervisor started on {host.name()}."


def test_a_database_that_is_migrated_meanwhile_does_not_disturb_what_runs(site, worker):
    run = site.submit(WAITER)
    site.wait_until(run, "Running")

    with _migrated(Run, Attempt, RunEvent):
        site.let_go(run)
        ended = site.wait_until_ended(run)

    assert ended.status == "Completed"
    assert site.log(run) == b"ready\ndone\n"
    assert site.events(run)[-3:] == ["Running", "Finalizing", "Completed"]


@contextmanager
def _migrated(*models):
    """What the next version's migration may do while this one's supervisors live: add columns and an index."""
    tables = [model._meta.db_table for model in models]
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} ADD COLUMN next_version integer NOT NULL DEFAULT 0")
            cursor.execute(f"CREATE INDEX {table}_next ON {table} (next_version)")
    yield
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"DROP INDEX {table}_next")
            cursor.execute(f"ALTER TABLE {table} DROP COLUMN next_version")


def test_a_launcher_outlives_a_timeout_that_held_while_it_was_started(site, monkeypatch):
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    started = launcher._Launcher()
    socket.setdefaulttimeout(5)  # as kombu does, for the whole process, while it connects
    try:
        started.warm_up()
    finally:
        socket.setdefaulttimeout(None)

    time.sleep(0.2)

    assert started._process.poll() is None
    started.stop()


def test_a_launcher_that_dies_is_replaced(site, worker):
    site.wait_until_ended(site.submit("pass"))
    launcher = next(pid for pid in marked("runs.execution") if is_child(pid, worker.pid))

    os.kill(launcher, signal.SIGKILL)

    assert site.wait_until_ended(site.submit("print('next')")).status == "Completed"


def is_child(pid, parent):
    fields = kernel.stat(pid)  # none of one that has ended meanwhile
    return bool(fields) and int(fields[1]) == parent


@pytest.mark.sqlite
def test_a_database_that_is_locked_over_the_end_of_a_run_delays_its_outcome_and_nothing_else(site, worker):
    run = site.submit(WAITER)
    site.wait_until(run, "Running")
    outside = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    outside.execute("BEGIN IMMEDIATE")

    site.let_go(run)
    time.sleep(3.5)
    assert site.status(run) == "Running"
    outside.execute("ROLLBACK")
    outside.close()
    ended = site.wait_until_ended(run)

    assert (ended.status, site.events(run).count("Completed")) == ("Completed", 1)
    assert site.log(run) == b"ready\ndone\n"
    assert Attempt.objects.filter(run=run).count() == 1


def test_an_outcome_that_its_supervisor_could_not_tell_is_told_by_a_worker(site, worker):
    run = site.submit(SLEEPER.format(60))
    site.wait_for_log(run, b"ready")
    supervisor = site.freeze(run)
    (host.work_folder(site.attempt(run)) / "code" / "outputs" / "model").write_text("m")
    ended = Outcome(RunStatus.FAILED, reason="Exit code 7.", exit_code=7, started_at=host.now().isoformat())
    outcome.save(site.attempt(run), ended)
    supervisor.send(signal.SIGKILL)

    stored = site.wait_until_ended(run)

    assert (stored.status, stored.exit_code, stored.reason) == ("Failed", 7, "Exit code 7.")
    assert run.artifacts.get().path == "outputs/model"
    wait_for(lambda: list(outcome.spooled()) == [])


def test_the_janitor_kills_what_carries_the_cookie_of_an_attempt_that_is_over_and_no_stranger(site, worker, mark):
    run = site.submit("pass")
    site.wait_until_ended(run)
    argv = [sys.executable, "-c", "import time; time.sleep(60)", mark]

    strangers = subprocess.Popen(argv, env={"STUDIO_ATTEMPT": f"{run.pk}.1.0123456789abcdef"})
    ours = subprocess.Popen(argv, env={"STUDIO_ATTEMPT": host.cookie(site.attempt(run))})

    assert ours.wait(30) == -signal.SIGKILL
    assert strangers.poll() is None
    strangers.kill()
    strangers.wait()


def test_a_stopped_server_cancels_what_runs_here_and_leaves_what_is_queued(site):
    first = site.start_worker()
    running = [site.submit(SLEEPER.format(60), compute_target="spare") for _ in range(2)]
    for run in running:
        site.wait_for_log(run, b"ready")
    queued = site.submit("pass", compute_target="spare")
    first.terminate()
    first.wait(60)

    left = shutdown.stop_runs(reason="The server was stopped.", timeout_seconds=30)

    assert left == 0
    assert [site.wait_until_ended(run).reason for run in running] == ["The server was stopped."] * 2
    assert [site.status(run) for run in running] == ["Canceled"] * 2
    assert site.status(queued) == "Queued"


def test_what_a_database_restored_from_an_older_backup_does_not_know_is_stopped(site, worker, mark):
    run = site.submit(forking(mark), arguments=(mark,))
    site.wait_for_log(run, b"ready")
    site.wait_until(run, "Running")
    supervisor = site.supervisor(run)

    with transaction.atomic():
        Attempt.objects.filter(run=run).delete()
        Run.objects.update(status=RunStatus.QUEUED, attempt_number=0, not_before=host.now() + timedelta(hours=1))

    wait_for(lambda: marked(mark) == [] and not supervisor.is_alive())
    assert site.status(run) == "Queued"
    assert site.events(run)[-1] == "Running"
