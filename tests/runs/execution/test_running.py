"""From Queued to the end: a real worker, real supervisors, real scripts."""

import json
import os
import sys
import textwrap
from pathlib import Path

import pytest

from runs import storage
from runs.models import ApiToken, Artifact, Attempt
from tests import factories
from tests.runs.execution.conftest import WAITER, wait_for

pytestmark = [pytest.mark.process, pytest.mark.slow]


def test_a_script_runs_and_its_output_is_kept(site, worker):
    run = site.submit("print('hello'); print('and bye')")

    ended = site.wait_until_ended(run)

    assert (ended.status, ended.exit_code, ended.error) == ("Completed", 0, "")
    assert site.log(run) == b"hello\nand bye\n"
    assert site.events(run)[1:] == ["Queued", "Preparing", "Starting", "Running", "Finalizing", "Completed"]
    words = site.log(run, "system_logs/run.txt").decode()
    assert all(word in words for word in ("Prepared", "Started", "Ended: exit code 0", "Collected 0 files"))
    wait_for(lambda: not [*(site.home / "work").iterdir(), *(site.home / "spool").iterdir()])


@pytest.mark.parametrize(
    ("code", "exit_code", "exit_signal", "error"),
    [
        ("import sys; print('out'); sys.stderr.write('no such column: price'); sys.exit(3)", 3, None, "no such column"),
        ("raise ValueError('bad alpha')", 1, None, "Traceback (most recent call last):"),
        ("import os; os._exit(255)", 255, None, ""),
        ("def broken(:\n  pass", 1, None, "SyntaxError"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", None, 9, ""),
        ("import ctypes; print('here', flush=True); ctypes.string_at(0)", None, 11, "here"),
        ("import os, threading\nthreading.Thread(target=lambda: os._exit(7)).start()", 7, None, ""),
    ],
    ids=["exit 3", "exception", "exit 255", "syntax error", "SIGKILL", "SIGSEGV", "exit in a thread"],
)
def test_anything_but_exit_code_0_is_failed_with_its_last_words(site, worker, code, exit_code, exit_signal, error):
    run = site.submit(code)

    ended = site.wait_until_ended(run)

    assert (ended.status, ended.exit_code, ended.exit_signal) == ("Failed", exit_code, exit_signal)
    assert error in ended.error
    assert str(exit_code if exit_signal is None else exit_signal) in ended.reason


def test_scripts_stand_behind_the_servers_at_the_processor_and_supervisors_between(site):
    worker = site.start_worker(STUDIO_NICE="10")
    run = site.submit(f"import os; print('nice', os.nice(0), flush=True)\n{WAITER}", compute_target="spare")
    site.wait_for_log(run, b"ready")

    own = os.getpriority(os.PRIO_PROCESS, worker.pid)
    assert site.log(run).startswith(b"nice %d\n" % min(19, own + 10))
    assert os.getpriority(os.PRIO_PROCESS, site.supervisor(run).pid) == min(19, own + 5)
    site.let_go(run)
    site.wait_until_ended(run)


def test_a_missing_interpreter_program_or_python_package_file_is_failed_with_that_message(site, worker):
    interpreter = site.submit("pass", interpreter_path="/no/such/python")
    program = site.submit("pass", command=("no-such-program", "--fast"))

    assert "/no/such/python" in site.wait_until_ended(interpreter).error
    ended = site.wait_until_ended(program)

    assert (ended.status, ended.reason) == ("Failed", "It could not be started.")
    assert "No such file" in ended.error


def test_a_script_missing_from_its_code_is_failed_with_that_message(site, worker):
    stored = site.submit("pass")
    run = factories.run(
        site.experiment,
        by=site.owner,
        script="elsewhere.py",
        snapshot=stored.snapshot,
        compute_target=stored.compute_target,
    )

    ended = site.wait_until_ended(run)

    assert (ended.status, ended.error) == ("Failed", "There is no elsewhere.py in the run's code.")


def test_a_script_finds_its_identity_and_nothing_of_the_servers_secrets(site, worker):
    code = """
import json, os, sys
print(json.dumps([sys.argv[1:], dict(os.environ)]))
print(sorted(os.listdir()))
"""
    run = site.submit(
        code, environment_variables={"ALPHA": "0.5", "STUDIO_RUN_ID": "somebody-else"}, arguments=("--beta", "2")
    )

    site.wait_until_ended(run)

    arguments, found = json.loads(site.log(run).splitlines()[0])
    assert arguments == ["--beta", "2"]
    assert (found["STUDIO_RUN_ID"], found["AZUREML_RUN_ID"], found["ALPHA"]) == (run.run_id, run.run_id, "0.5")
    assert (found["STUDIO_EXPERIMENT"], found["STUDIO_WORKSPACE"]) == ("explore-runs", "default")
    assert (found["MLFLOW_RUN_ID"], found["MLFLOW_TRACKING_TOKEN"]) == (run.run_id, found["STUDIO_TOKEN"])
    assert found["MLFLOW_TRACKING_URI"] == found["STUDIO_URL"]
    assert found["STUDIO_ATTEMPT"].startswith(f"{run.pk}.1.")
    assert found["PYTHONUNBUFFERED"] == "1"
    assert not {"STUDIO_SECRET_KEY", "DATABASE_URL", "REDIS_URL", "STUDIO_HOME", "DJANGO_SETTINGS_MODULE"} & set(found)
    assert b"['logs', 'outputs', 'train.py']" in site.log(run)
    token = ApiToken.objects.get(run=run)
    assert (token.attempt_number, token.user) == (1, site.owner)
    assert found["STUDIO_TOKEN"].startswith(token.prefix)


def test_outputs_become_artifacts_also_of_a_failed_run(site, worker):
    code = """
        import os
        os.makedirs("outputs/deep")
        open("outputs/model.bin", "wb").write(b"m" * 100000)
        open("outputs/deep/report.txt", "w").write("fine")
        os.symlink("model.bin", "outputs/latest")
        os.symlink("/etc/passwd", "outputs/stolen")
        os.symlink("/etc", "outputs/etc")
        os.mkfifo("outputs/pipe")
        raise SystemExit(1)
    """
    run = site.submit(textwrap.dedent(code))

    ended = site.wait_until_ended(run)

    assert ended.status == "Failed"
    stored = dict(Artifact.objects.filter(run=run).values_list("path", "size_bytes"))
    assert stored == {"outputs/model.bin": 100_000, "outputs/latest": 100_000, "outputs/deep/report.txt": 4}
    words = site.log(run, "system_logs/run.txt").decode()
    assert all(f"Left out 'outputs/{name}'" in words for name in ("stolen", "etc", "pipe"))
    assert "Collected 3 files" in words


def test_files_under_logs_are_taken_over_as_they_grow(site, worker):
    code = """
        import time
        with open("logs/epochs.txt", "w", buffering=1) as log:
            for epoch in range(20_000):
                log.write(f"epoch {epoch}\\n")
                time.sleep(0.05)
    """
    run = site.submit(textwrap.dedent(code))

    wait_for(lambda: b"epoch 3\n" in site.log(run, "logs/epochs.txt"))

    site.wait_until(run, "Running")
    site.cancel(run, grace_seconds=0)
    site.wait_until_ended(run)
    assert site.log(run, "logs/epochs.txt").startswith(b"epoch 0\nepoch 1\n")


def test_a_command_runs_with_the_workers_python_first_on_its_path(site, worker):
    run = site.submit("print('script', __import__('sys').executable)", command=("python", "train.py"))

    site.wait_until_ended(run)

    # The folder of the worker's interpreter; a virtual environment has several names for it there.
    said, executable = site.log(run).decode().split()
    assert (said, Path(executable).parent) == ("script", Path(sys.executable).parent)


def test_both_streams_come_into_one_log_in_order(site, worker):
    code = "import sys\nfor i in range(2000): (sys.stdout if i % 2 else sys.stderr).write(f'{i}\\n')"
    run = site.submit(code)

    site.wait_until_ended(run)

    assert site.log(run) == b"".join(b"%d\n" % i for i in range(2000))


def test_slots_are_never_oversubscribed_and_priority_goes_first(site, worker):
    code = "import time; print(time.monotonic(), flush=True); time.sleep(0.3); print(time.monotonic())"
    blocking = [site.submit(WAITER) for _ in range(2)]
    for run in blocking:
        site.wait_for_log(run, b"ready")
    runs = [site.submit(code) for _ in range(4)] + [site.submit(code, priority=5)]

    for run in blocking:
        site.let_go(run)
    ended = [site.wait_until_ended(run) for run in (*blocking, *runs)]

    assert {run.status for run in ended} == {"Completed"}
    spans = [tuple(map(float, site.log(run).split())) for run in runs]
    overlapping = [sum(start < moment < end for start, end in spans) for moment, _ in spans]
    assert max(overlapping) < 2  # beside itself
    claimed = Attempt.objects.filter(run__in=runs).order_by("id").values_list("run_id", flat=True)
    assert list(claimed) == [run.pk for run in (runs[-1], *runs[:-1])]


def test_retries_are_attempts_with_logs_of_their_own(site, worker):
    code = "import os, sys; own = os.environ['STUDIO_ATTEMPT']; print(own); sys.exit(own.split('.')[1] == '1')"
    run = site.submit(code, max_retries=2)

    ended = site.wait_until_ended(run)

    assert (ended.status, ended.attempt_number, ended.exit_code) == ("Completed", 2, 0)
    assert site.log(run).startswith(f"{run.pk}.1.".encode())
    assert site.log(run, storage.attempt_path(2, "user_logs/std_log.txt")).startswith(f"{run.pk}.2.".encode())
    first = Attempt.objects.get(run=run, number=1)
    assert (first.exit_code, first.reason) == (1, "Exit code 1.")
