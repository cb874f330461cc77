"""What a tree of processes uses is read from the kernel, what they share counted once."""

import os
import signal
import subprocess
import sys

import pytest

from runs.execution import usage

pytestmark = pytest.mark.process

MEBIBYTE = 2**20


def test_the_processes_below_are_counted_with_their_time_and_memory():
    burn = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        totals, now = usage.tree_totals(os.getpid())
        child.stdin.write(b"\n")

    assert totals["cpu_seconds"] >= 0.29
    assert now["memory"] > 5 * MEBIBYTE
    assert now["processes"] >= 1


def test_memory_that_processes_share_counts_once():
    share = "import os, time\nx = b'x' * 2**26\n[os.fork() for _ in range(2)]\nprint(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", share], stdout=subprocess.PIPE, start_new_session=True) as child:
        [child.stdout.readline() for _ in range(4)]
        exact, quick = (usage.memory_bytes(child.pid, enough=enough) for enough in (100 * MEBIBYTE, 2**40))
        os.killpg(child.pid, signal.SIGKILL)

    assert exact < 80 * MEBIBYTE
    assert quick > 3 * 64 * MEBIBYTE
