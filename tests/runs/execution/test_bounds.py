"""A run keeps to its limits, says which one ended it, and runs as the user that its compute target names."""

import os
import signal
import subprocess
import textwrap
import uuid
from contextlib import contextmanager

import pytest

from runs.execution import bounds, claim, host
from runs.execution.process import Exit
from runs.models import Attempt, ComputeTarget
from runs.status import RunStatus
from runs.storage import files
from tests import factories
from tests.runs.execution.conftest import WAITER, marked, wait_for

LIMITS = {"memory_bytes": 2**28, "process_count": 20, "cpu_seconds": 3, "file_bytes": 1000}


@pytest.mark.parametrize(
    ("ended", "words", "said"),
    [
        (Exit(1, None), "MemoryError", "memory for a process"),
        (Exit(1, None), "OSError: [Errno 12] Cannot allocate memory", "memory for a process"),
        (Exit(1, None), "BlockingIOError: [Errno 11] Resource temporarily unavailable", "20 processes"),
        (Exit(1, None), "OSError: [Errno 27] File too large: 'x'", "1,000 bytes for a file"),
        (Exit(None, signal.SIGXCPU), "", "3 s of processor time"),
        (Exit(None, signal.SIGXFSZ), "", "1,000 bytes for a file"),
        (Exit(1, None), "ValueError: no", ""),
        (Exit(None, signal.SIGKILL), "", ""),
        (Exit(None, 64), "", ""),
    ],
)
def test_the_limit_that_ended_a_script_is_named(ended, words, said):
    sentence = bounds.explain(ended, words, LIMITS)

    assert said in sentence
    assert bool(said) == bool(sentence)


def test_a_limit_that_was_not_set_is_no_reason():
    assert bounds.explain(Exit(1, None), "MemoryError", {}) == ""


def test_the_lower_of_the_limits_of_run_and_target_holds(experiment, owner, local):
    local.memory_bytes, local.cpu_seconds = 2**30, 60
    run = factories.run(experiment, by=owner, compute_target=local, memory_bytes=2**28, cpu_seconds=100, file_bytes=5)

    assert bounds.limits_of(run, local) == {
        "memory_bytes": 2**28,
        "process_count": None,
        "cpu_seconds": 60,
        "file_bytes": 5,
    }


def test_a_full_disk_starts_nothing_and_the_run_stays_queued(experiment, owner, local, settings, tmp_path):
    settings.STUDIO_HOME = tmp_path
    run = factories.run(experiment, by=owner, compute_target=local)
    settings.STUDIO_DISK_FLOOR_BYTES = 2**62

    assert claim.start_next(compute_target_id=local.pk) == 0

    run.refresh_from_db()
    assert run.status == RunStatus.QUEUED
    assert f"The disk of {host.name()} has" in host.refusal()
    assert not Attempt.objects.exists()


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "code", "reason"),
    [
        ({"memory_bytes": 2**28}, "x = bytearray(2**29)", "limit of 268,435,456 bytes of memory"),
        ({"cpu_seconds": 1}, "while True: pass", "it used its limit of 1 s of processor time"),
        (
            {"memory_bytes": 2**27},
            "import os, time\n[os.fork() for _ in range(3)]\nx = b'x' * 2**25\ntime.sleep(60)",
            "more than its limit of 134,217,728.",
        ),
        (
            {"cpu_seconds": 2},
            "import os\n[os.fork() for _ in range(3)]\nwhile True: pass",
            "s of processor time, more than its limit of 2 s.",
        ),
        (
            {"file_bytes": 1000},
            "with open('outputs/x', 'wb') as f: f.write(b'x' * 5000)",
            "limit of 1,000 bytes for a file",
        ),
    ],
)
def test_a_limit_bites_and_the_reason_says_so(site, worker, limits, code, reason):
    run = site.submit(code, **limits)

    ended = site.wait_until_ended(run)

    assert ended.status == "Failed"
    assert reason in ended.reason


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.root
def test_a_folder_of_logs_that_takes_nothing_fails_the_run_and_says_why(site, worker, home):
    blocking = site.submit(WAITER)
    site.wait_for_log(blocking, b"ready")
    folder = files.run_folder(blocking.pk).parent
    with mounted(folder, "-o", "ro"):
        run = site.submit("print('never')")
        ended = site.wait_until_ended(run)
        site.cancel(blocking, grace_seconds=0)
        stopped = site.wait_until_ended(blocking)

    assert (ended.status, stopped.status) == ("Failed", "Canceled")
    assert "Read-only file system" in ended.error
    assert site.wait_until_ended(site.submit("pass")).status == "Completed"


@contextmanager
def mounted(folder, *options):
    """An empty file system over a folder."""
    subprocess.run(["mount", "-t", "tmpfs", *options, "none", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def nobody(site, home):
    """The compute target `local` runs scripts as `nobody`, in a folder that they can reach."""
    home.chmod(0o711)
    ComputeTarget.objects.update(run_as="nobody")
    yield
    home.chmod(0o700)


NOBODY = """
    import os, pwd, signal, subprocess, sys, time
    print(pwd.getpwuid(os.geteuid()).pw_name, os.getgroups() == [os.getgid()], os.environ["HOME"], flush=True)
    open("outputs/mine", "w").write("x")
    import helper
    print(oct(os.stat(".").st_mode), "NoNewPrivs:\\t1" in open("/proc/self/status").read())
    try:
        os.listdir(sys.argv[1])
    except PermissionError:
        print("kept out")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen(["/bin/sleep", sys.argv[2]], start_new_session=True)
    print("ready", flush=True)
    time.sleep(float(sys.argv[3]))
"""


# So long sleeps nobody else.
SLEEP = f"60.{uuid.uuid4().int % 10**9}"


def as_nobody(site, home, seconds):
    return site.submit(
        textwrap.dedent(NOBODY),
        files={"helper.py": "print('imported')"},
        interpreter_path="/usr/bin/python3",
        arguments=(str(home), SLEEP, str(seconds)),
    )


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.root
class TestAnotherUser:
    def test_a_script_runs_as_the_user_of_its_target_and_reads_nothing_of_ours(self, site, worker, nobody, home):
        run = as_nobody(site, home, 0)

        ended = site.wait_until_ended(run)

        assert ended.status == "Completed", site.log(run)
        lines = site.log(run).decode().splitlines()
        assert lines[0].startswith("nobody True /")
        assert lines[1:4] == ["imported", "0o40700 True", "kept out"]
        assert run.artifacts.get().path == "outputs/mine"

    def test_a_cancel_still_leaves_nobody_of_it(self, site, worker, nobody, home):
        run = as_nobody(site, home, 60)
        site.wait_for_log(run, b"ready")

        site.cancel(run)
        ended = site.wait_until_ended(run)

        assert ended.status == "Canceled"
        wait_for(lambda: marked(SLEEP) == [])

    def test_processes_are_limited(self, site, worker, nobody):
        code = """
            import subprocess
            [subprocess.Popen(["/bin/sleep", "20"]) for _ in range(60)]
        """
        run = site.submit(textwrap.dedent(code), interpreter_path="/usr/bin/python3", process_count=40)

        ended = site.wait_until_ended(run)

        assert ended.status == "Failed"
        assert "perhaps it reached its limit of 40 processes" in ended.reason

    def test_a_fork_bomb_is_bounded_and_killed_whole(self, site, worker, nobody):
        bomb = """
            import os, sys, time
            end = time.monotonic() + 30
            print("ready", flush=True)
            while time.monotonic() < end:
                try:
                    os.fork() or os.setsid()
                except OSError:
                    time.sleep(0.01)
        """
        run = site.submit(
            textwrap.dedent(bomb), interpreter_path="/usr/bin/python3", process_count=60, arguments=(SLEEP,)
        )
        site.wait_for_log(run, b"ready")
        wait_for(lambda: len(marked(SLEEP)) > 20)

        site.cancel(run, grace_seconds=0)

        assert site.wait_until_ended(run).status == "Canceled"
        assert marked(SLEEP) == []

    def test_a_folder_that_the_user_cannot_reach_is_said(self, site, worker, nobody, home):
        home.chmod(0o700)
        run = site.submit("pass", interpreter_path="/usr/bin/python3")

        ended = site.wait_until_ended(run)

        assert (ended.status, ended.reason) == ("Failed", "It could not be started.")
        assert "Permission denied" in ended.error
        assert "STUDIO_WORK_FOLDER" in ended.error

    @pytest.mark.parametrize(
        ("name", "said"), [("root", "names no user at all"), ("nosuchuser", "There is no user nosuchuser")]
    )
    def test_a_user_that_is_none_is_said(self, site, worker, name, said):
        ComputeTarget.objects.update(run_as=name)

        ended = site.wait_until_ended(site.submit("pass"))

        assert ended.status == "Failed"
        assert said in ended.error

    def test_packages_are_not_installed_for_another_user(self, site, worker, nobody):
        ended = site.wait_until_ended(site.submit("pass", requirements=("six",)))

        assert "name an interpreter that has them" in ended.error

    def test_outputs_that_lead_elsewhere_are_left_out(self, site, worker, nobody):
        code = "import os; os.rmdir('outputs'); os.symlink('/etc', 'outputs')"

        run = site.submit(code, interpreter_path="/usr/bin/python3")

        assert site.wait_until_ended(run).status == "Completed"
        assert not run.artifacts.exists()
        assert b"leads out of the run's folder" in site.log(run, "system_logs/run.txt")


def test_only_root_runs_as_others(monkeypatch, local):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    local.run_as = "nobody"

    with pytest.raises(bounds.NoSuchUser, match="Only a worker of root's"):
        bounds.user_of(local)
