"""Canceled means dead: at every phase, whatever the script does about it."""

import signal
import textwrap
import time
import uuid

import pytest

from runs.actions import cancellation, completion
from runs.models import Attempt, ComputeTarget, Run
from tests.runs.execution.conftest import keeps_within, marked, wait_for

pytestmark = [pytest.mark.process, pytest.mark.slow]

# Each ends with the word `ready`; MARK is in the command line of every process that must be gone.
STUBBORN = {
    "cooperative": "print('ready', flush=True); time.sleep(60)",
    "ignores SIGTERM": """
        signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGINT, signal.SIG_IGN)
        print('ready', flush=True)
        while True: time.sleep(1)
    """,
    "grandchildren in sessions of their own": """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for _ in range(3):
            subprocess.Popen(
                [sys.executable, '-c', 'import signal, time; signal.signal(15, 1); time.sleep(60)', MARK],
                start_new_session=True)
        print('ready', flush=True)
        while True: time.sleep(1)
    """,
    "daemon with an empty environment": """
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.execve(sys.executable, [sys.executable, '-c', 'import time; time.sleep(60)', MARK], {})
            os._exit(0)
        os.wait()
        print('ready', flush=True)
        time.sleep(60)
    """,
    "stopped": """
        subprocess.Popen([sys.executable, '-c', 'import os; os.kill(os.getpid(), 19)', MARK])
        print('ready', flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
    """,
}


def stubborn(name, mark):
    head = f"import os, signal, subprocess, sys, time\nMARK = {mark!r}\n"
    return head + textwrap.dedent(STUBBORN[name])


@pytest.fixture
def mark():
    """A word that marks the processes of one test."""
    return f"mark-{uuid.uuid4().hex}"


@pytest.mark.parametrize("name", STUBBORN)
def test_a_canceled_script_is_dead_with_everything_it_started(site, worker, mark, name):
    def play():
        run = site.submit(stubborn(name, mark), arguments=(mark,))
        site.wait_for_log(run, b"ready")

        site.cancel(run)
        ended = site.wait_until_ended(run)

        assert (ended.status, ended.reason) == ("Canceled", "Canceled by olivia.")
        assert marked(mark) == []
        assert site.attempt(run).stop_signal in (signal.SIGTERM, signal.SIGKILL)
        assert "SIGTERM" in site.log(run, "system_logs/run.txt").decode()
        return ended.ended_at - ended.cancel_requested_at

    assert keeps_within(1 if name == "cooperative" else 1 + 1, play)  # the grace time and a second


def test_a_script_may_clean_up_within_its_grace_time(site, worker):
    code = """
        import signal, sys, time
        def leave(*_):
            time.sleep(0.2); open("outputs/checkpoint", "w").write("saved"); print("saved"); sys.exit(0)
        signal.signal(signal.SIGTERM, leave)
        print("ready", flush=True)
        time.sleep(60)
    """
    run = site.submit(textwrap.dedent(code))
    site.wait_for_log(run, b"ready")

    site.cancel(run, grace_seconds=60)
    ended = site.wait_until_ended(run)

    assert (ended.status, ended.exit_code) == ("Canceled", 0)
    assert site.attempt(run).stop_signal == signal.SIGTERM
    assert b"saved" in site.log(run)
    assert run.artifacts.get().path == "outputs/checkpoint"


def test_stop_now_skips_the_grace_time_also_when_it_has_begun(site, worker, mark):
    run = site.submit(stubborn("ignores SIGTERM", mark), arguments=(mark,))
    site.wait_for_log(run, b"ready")
    site.cancel(run, grace_seconds=300)
    wait_for(lambda: b"Sent SIGTERM" in site.log(run, "system_logs/run.txt"))

    site.cancel(run, grace_seconds=0)
    ended = site.wait_until_ended(run, seconds=60)

    assert ended.status == "Canceled"
    assert marked(mark) == []


def test_a_process_that_holds_the_pipe_does_not_keep_a_finished_run(site, worker, mark):
    code = f"""
        import subprocess, sys
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "{mark}"], start_new_session=True)
        print("done")
    """
    run = site.submit(textwrap.dedent(code))

    ended = site.wait_until_ended(run)

    assert (ended.status, site.log(run)) == ("Completed", b"done\n")
    assert marked(mark) == []


def test_a_run_longer_than_it_may_be_is_stopped_and_says_so(site, worker, mark):
    def play():
        run = site.submit(stubborn("ignores SIGTERM", mark), arguments=(mark,), max_run_duration_seconds=1)

        ended = site.wait_until_ended(run)

        assert ended.status == "Canceled"
        assert "maximum duration of 1 s" in ended.reason
        assert marked(mark) == []
        return ended.ended_at - ended.started_at

    assert keeps_within(1 + 1 + 1, play)  # the duration, the grace time and a second


def test_a_queued_run_that_is_canceled_never_starts(site, worker):
    ComputeTarget.objects.update(slots=1)
    blocking = site.submit("print('ready', flush=True); import time; time.sleep(60)")
    site.wait_for_log(blocking, b"ready")
    queued = site.submit("print('never')")

    site.cancel(queued)

    assert site.status(queued) == "Canceled"
    site.cancel(blocking, grace_seconds=0)
    site.wait_until_ended(blocking)
    site.wait_until_ended(site.submit("pass"))
    assert site.log(queued) == b""
    assert not Attempt.objects.filter(run=queued).exists()


def test_canceled_at_any_moment_of_its_start_it_ends_once_and_leaves_nothing(site, worker, mark):
    code = f"import sys, time; time.sleep(60); {mark!r}"
    runs = []
    for delay in (0, 0.02, 0.05, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.4):
        run = site.submit(code, arguments=(mark,))
        time.sleep(delay)
        site.cancel(run, grace_seconds=0)
        runs.append(run)

    ended = [site.wait_until_ended(run) for run in runs]

    assert [run.status for run in ended] == ["Canceled"] * 10
    assert all(site.events(run).count("Canceled") == 1 for run in runs)
    wait_for(lambda: not Attempt.objects.live().exists())
    assert marked(mark) == []


def test_a_cancel_that_races_the_end_leaves_one_outcome_that_fits_the_exit(site, worker):
    outcomes = []
    for delay in (0.05, 0.1, 0.13, 0.16, 0.19, 0.22, 0.25, 0.3):
        run = site.submit("import time; time.sleep(0.05)")
        time.sleep(delay)
        try:
            site.cancel(run)
        except cancellation.AlreadyEnded:
            outcomes.append("refused")
        ended = site.wait_until_ended(run)
        terminal = [status for status in site.events(run) if status in ("Completed", "Canceled", "Failed")]
        assert terminal == [ended.status]
        assert ended.status == "Canceled" or ended.exit_code == 0

    assert not Attempt.objects.live().exists()


def test_a_run_that_was_said_to_have_failed_is_stopped_and_failed(site, worker, mark):
    run = site.submit(stubborn("cooperative", mark), arguments=(mark,))
    site.wait_for_log(run, b"ready")
    completion.fail(run=Run.objects.get(pk=run.pk), at=run.created_at, by=site.owner, error="nan in the loss")
    ended = site.wait_until_ended(run)

    assert (ended.status, ended.reason, ended.error) == ("Failed", "Failed by olivia.", "nan in the loss")
    assert marked(mark) == []
