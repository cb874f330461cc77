"""A process tree dies whole, on each tier that works here."""

import os
import signal
import subprocess
import sys
import time
import uuid

import pytest

from runs.execution import kernel, process
from tests.runs.execution.conftest import marked, wait_for

pytestmark = [pytest.mark.process]

CHURN = """
import os, time
end = time.monotonic() + 20
while time.monotonic() < end:
    if os.fork():
        os._exit(0)
    os.setsid()
"""
TREE = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, 1); time.sleep(60)", sys.argv[1]])
subprocess.Popen(
    [sys.executable, "-c", "import time; time.sleep(60)", sys.argv[1]], start_new_session=True, env={})
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def mark():
    return f"mark-{uuid.uuid4().hex}"


def in_a_child(play):
    """Play in a forked child, as trees are made in supervisors: it becomes a reaper. Return its exit code."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = play() or 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def start(tree, code, *arguments):
    read_end, write_end = os.pipe()
    tree.start(process.Command([sys.executable, "-c", code, *arguments], dict(os.environ), "/"), output=write_end)
    os.close(write_end)
    return read_end


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("tier", process.Tier)
class TestTree:
    def test_the_end_of_a_program_is_reported(self, tier):
        def play():
            with process.ProcessTree(tier) as tree:
                start(tree, "raise SystemExit(7)")
                first = tree.wait(10)
                start(tree, "import os; os.kill(os.getpid(), 9)")
                second = tree.wait(10)
                return first != process.Exit(7, None) or second != process.Exit(None, 9)

        assert in_a_child(play) == 0

    def test_a_program_that_is_not_there_is_refused(self, tier):
        def play():
            with process.ProcessTree(tier) as tree:
                try:
                    tree.start(process.Command(["/no/such"], {}, "/"), output=1)
                except process.CannotStart as error:
                    return "No such file" not in str(error)
                return 1

        assert in_a_child(play) == 0

    def test_kill_leaves_nobody(self, tier, mark):
        def play():
            with process.ProcessTree(tier) as tree:
                output = start(tree, TREE, mark)
                os.read(output, 100)
                tree.signal(signal.SIGTERM)
                ended = tree.wait(5)
                return ended != process.Exit(None, 15) or tree.kill() or len(marked(mark))

        assert in_a_child(play) == 0

    def test_a_fork_storm_that_changes_sessions_is_killed(self, tier):
        def play():
            with process.ProcessTree(tier) as tree:
                start(tree, CHURN)
                time.sleep(0.2)
                return tree.kill()

        assert in_a_child(play) == 0

    def test_the_tree_dies_with_its_supervisor(self, tier, mark):
        def play():
            tree = process.ProcessTree(tier)
            os.read(start(tree, TREE, mark), 100)
            os.kill(os.getpid(), signal.SIGKILL)

        assert in_a_child(play) == -9

        wait_for(lambda: marked(mark) == [], seconds=5)

    def test_the_death_of_the_shim_is_the_end_of_the_tree(self, tier, mark):
        def play():
            tree = process.ProcessTree(tier)
            os.read(start(tree, TREE, mark), 100)
            os.kill(tree._shim, signal.SIGKILL)
            ended = tree.wait(5)
            return ended is None or tree.kill() or len(marked(mark))

        assert in_a_child(play) == 0

    def test_limits_reach_the_program(self, tier, tmp_path):
        def play():
            with process.ProcessTree(tier) as tree:
                limits = {"file_bytes": 1000, "cpu_seconds": None}
                code = "open('large', 'wb', buffering=0).write(b'x' * 2000)"
                command = process.Command([sys.executable, "-c", code], dict(os.environ), str(tmp_path), limits)
                tree.start(command, output=os.open(os.devnull, os.O_WRONLY))
                tree.wait(10)
                return (tmp_path / "large").stat().st_size != 1000

        assert in_a_child(play) == 0


def test_a_process_is_told_from_a_stranger_that_got_its_number():
    child = subprocess.Popen(["sleep", "60"])
    real = kernel.ProcessId.of(child.pid)
    stranger = kernel.ProcessId(child.pid, real.started - 1)

    assert not stranger.is_alive()
    assert not stranger.send(signal.SIGKILL)
    assert child.poll() is None
    assert real.send(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert kernel.ProcessId.of(child.pid) is None


def test_a_zombie_is_not_alive():
    child = subprocess.Popen(["true"])
    real = wait_for(lambda: kernel.ProcessId.of(child.pid))

    wait_for(lambda: not real.is_alive())

    child.wait()
