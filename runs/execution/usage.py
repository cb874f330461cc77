"""What the processes of a tree use, read from /proc: all of them together, whatever each of them may."""

import os
from contextlib import suppress
from pathlib import Path

import psutil

from runs.execution import kernel

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def tree_totals(root: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return what the processes below `root` have used since they began, and what they hold now.

    The time and the bytes of processes that ended are in those of their parents. Of the
    network the system tells only the machine's.
    """
    totals = dict.fromkeys(("cpu_seconds", "disk_read", "disk_written"), 0.0)
    now = dict.fromkeys(("memory", "processes", "threads"), 0.0)
    for pid in _below(root):
        fields = kernel.stat(pid)
        if not fields:
            continue
        totals["cpu_seconds"] += _cpu_seconds(fields)
        now["memory"] += int(fields[21]) * _PAGE
        now["processes"] += 1
        now["threads"] += int(fields[17])
        with suppress(OSError, ValueError):  # of another user's process only root may know
            for line in Path(f"/proc/{pid}/io").read_text().splitlines():
                name, _, value = line.partition(": ")
                if name in ("read_bytes", "write_bytes"):
                    totals["disk_read" if name == "read_bytes" else "disk_written"] += int(value)
    network = psutil.net_io_counters(pernic=True)
    cards = [counters for name, counters in network.items() if name != "lo"]
    totals["received"] = float(sum(card.bytes_recv for card in cards))
    totals["sent"] = float(sum(card.bytes_sent for card in cards))
    return totals, now


def cpu_seconds(root: int) -> float:
    """Return the processor time that the processes below `root` have used since they began, those that ended too."""
    return sum(_cpu_seconds(fields) for fields in map(kernel.stat, _below(root)) if fields)


def memory_bytes(root: int, *, enough: int) -> int:
    """Return the memory that the processes below `root` hold: what several of them share counts once.

    That is read only where it may be more than `enough`: it takes long of a large process.
    Otherwise, and of processes that we may not look into, it is what each of them holds.
    """
    held = {pid: int(fields[21]) * _PAGE for pid in _below(root) if (fields := kernel.stat(pid))}
    if sum(held.values()) > enough:
        held = {pid: _proportional_bytes(pid) or resident for pid, resident in held.items()}
    return sum(held.values())


def _cpu_seconds(fields: list[str]) -> float:
    # Its own time and that of the children it has waited for, in the kernel and outside.
    return sum(int(field) for field in fields[11:15]) / _TICKS


def _proportional_bytes(pid: int) -> int:
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _below(root: int) -> list[int]:
    """Return the pids below `root`. Reads only the tree where the kernel lists children, else all of /proc."""
    found: list[int] = []
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        try:
            tasks = list(Path(f"/proc/{pid}/task").iterdir())
            children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except OSError:
            if pid == root:
                return [process.pid for process in kernel.descendants(root)]
            continue  # it has ended meanwhile
        found += children
        waiting += children
    return found
