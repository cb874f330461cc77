"""A process tree dies whole, on each tier that works here."""

import os
import signal
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from runs.execution import cgroup, kernel, process
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


# Ends with how much nicer it is than it was told, once its session counts as nice as well, where sessions count at all.
NICE = """
import os, pathlib, sys, time
own = pathlib.Path("/proc/self/autogroup")
while own.exists() and not own.read_text().endswith(f" nice {os.nice(0)}\\n"):
    time.sleep(0.02)
sys.exit(os.nice(0) - int(sys.argv[1]))
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
@pytest.mark.parametrize(
    "tier", [pytest.param(tier, marks=[pytest.mark.cgroup] if tier == "cgroup" else []) for tier in process.Tier]
)
class TestTree:
    def test_the_end_of_a_program_is_reported(self, tier):
        def play():
            with process.ProcessTree(tier) as tree:
                start(tree, "raise SystemExit(7)")
                first = tree.wait(30)
                start(tree, "import os; os.kill(os.getpid(), 9)")
                second = tree.wait(30)
                return first != process.Exit(7, None) or second != process.Exit(None, 9)

        assert in_a_child(play) == 0

    def test_its_programs_let_others_come_first_at_the_processor(self, tier):
        def play():
            with process.ProcessTree(tier, nicer=3) as tree:
                start(tree, NICE, str(os.nice(0)))
                return tree.wait(30) != process.Exit(3, None)

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
                ended = tree.wait(30)
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

        wait_for(lambda: marked(mark) == [], seconds=30)

    def test_the_death_of_the_shim_is_the_end_of_the_tree(self, tier, mark):
        def play():
            tree = process.ProcessTree(tier)
            os.read(start(tree, TREE, mark), 100)
            os.kill(tree._shim, signal.SIGKILL)
            ended = tree.wait(30)
            return ended is None or tree.kill() or len(marked(mark))

        assert in_a_child(play) == 0

    def test_limits_reach_the_program(self, tier, tmp_path):
        def play():
            with process.ProcessTree(tier) as tree:
                limits = {"file_bytes": 1000, "cpu_seconds": None}
                code = "open('large', 'wb', buffering=0).write(b'x' * 2000)"
                command = process.Command([sys.executable, "-c", code], dict(os.environ), str(tmp_path), limits)
                tree.start(command, output=os.open(os.devnull, os.O_WRONLY))
                tree.wait(30)
                return (tmp_path / "large").stat().st_size != 1000

        assert in_a_child(play) == 0


@pytest.mark.cgroup
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
class TestGroup:
    def test_a_group_whose_makers_were_killed_is_cleared_by_the_next(self, mark):
        def play():
            tree = process.ProcessTree(process.Tier.CGROUP)
            os.read(start(tree, TREE, mark), 100)
            os.kill(tree._shim, signal.SIGKILL)  # and with it the script, but not what the script started
            os.kill(os.getpid(), signal.SIGKILL)

        assert in_a_child(play) == -9
        left = len(marked(mark))

        cgroup.Group().remove()

        assert left >= 2
        wait_for(lambda: marked(mark) == [])

    def test_many_may_clear_the_same_groups_at_once(self):
        own = cgroup._own_group()
        abandoned = [own / f"studio-{os.getpid()}-{number}" for number in range(200)]
        for folder in abandoned:
            folder.mkdir()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(cgroup._remove_abandoned, [own] * 4))

        assert not [folder for folder in abandoned if folder.exists()]

    def test_groups_below_it_that_the_script_made_die_and_go_with_it(self, mark):
        code = (
            f"import os, sys, time; os.mkdir(sys.argv[2]); open(sys.argv[2] + '/cgroup.procs', 'w').write('0')\n{TREE}"
        )

        def play():
            with process.ProcessTree(process.Tier.CGROUP) as tree:
                below = tree._group._folder / "below"
                os.read(start(tree, code, mark, str(below)), 100)
                held = len(tree._group.processes())
                left = tree.kill()
            return [held, left, len(marked(mark)), below.exists(), below.parent.exists()] != [3, 0, 0, False, False]

        assert in_a_child(play) == 0

    def test_where_namespaces_are_refused_it_is_chosen(self, monkeypatch):
        def refused():
            raise PermissionError

        monkeypatch.setattr(kernel, "enter_namespaces", refused)

        assert process.strongest_tier() is process.Tier.CGROUP

    @pytest.mark.root
    def test_who_may_not_write_there_has_none(self):
        def play():
            os.setuid(65534)
            try:
                process.ProcessTree(process.Tier.CGROUP)
            except process.CannotContain as error:
                return "Permission denied" not in str(error)
            return 1

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


def test_a_session_that_cannot_be_nice_yet_is_tried_again(monkeypatch):
    answers = iter([BlockingIOError(), PermissionError(), FileNotFoundError()])

    def refuse(path, text):
        raise next(answers)

    monkeypatch.setattr(os, "getpriority", lambda which, pid: 10)
    monkeypatch.setattr("pathlib.Path.write_text", refuse)

    assert [kernel.be_nice_as_a_session(os.getpid()) for _ in range(3)] == [False, True, True]
