"""A control group (cgroup v2) around one process tree: who is born in it stays in it. Pure: knows no Django.

https://docs.kernel.org/admin-guide/cgroup-v2.html. It needs a part of the hierarchy that is
ours to write to: root's, or what systemd hands over with `Delegate=yes`.
"""

import os
from contextlib import suppress
from pathlib import Path

from runs.execution import kernel

_PREFIX = "studio-"


class Group:
    """A group below this process's own. It can be killed at once, however fast its processes fork."""

    def __init__(self) -> None:
        """Make it. Raises OSError where the system has no cgroup v2, or none that is ours."""
        own = _own_group()
        _remove_abandoned(own)
        me = kernel.ProcessId.of(os.getpid())
        self._folder = own / f"{_PREFIX}{os.getpid()}-{me.started if me else 0}"
        self._folder.mkdir()
        if not (self._folder / "cgroup.kill").exists():
            self._folder.rmdir()
            raise OSError("this kernel cannot kill a control group; Linux 5.14 can")

    def enter(self) -> None:
        """Move this process, and with it all that it will start, into the group."""
        (self._folder / "cgroup.procs").write_text("0")

    def processes(self) -> list[kernel.ProcessId]:
        """Return those in the group, and in the groups that they made below it."""
        found = []
        for folder, _, _ in os.walk(self._folder):
            with suppress(OSError):
                listed = Path(folder, "cgroup.procs").read_text().split()
                found += [kernel.ProcessId.of(int(pid)) for pid in listed]
        return [process for process in found if process is not None and process.is_alive()]

    def kill(self) -> None:
        """Kill everybody in it."""
        _kill(self._folder)

    def remove(self) -> None:
        """Kill who is left and remove it. Removing it again does nothing."""
        _remove(self._folder)


def _own_group() -> Path:
    """Return the folder of the group in which this process is. Raises OSError where there is none."""
    own = next(
        (line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::/")), None
    )
    # device, folder, type, options, ...
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    root = next((Path(fields[1]) for fields in mounts if fields[2] == "cgroup2"), None)
    if own is None or root is None:
        raise OSError("there is no cgroup v2")
    return root / own.lstrip("/")


def _remove_abandoned(own: Path) -> None:
    """Remove the groups whose makers were killed, with whoever is in them."""
    for folder in own.glob(f"{_PREFIX}*-*"):
        pid, _, started = folder.name.removeprefix(_PREFIX).partition("-")
        if pid.isdigit() and started.isdigit() and not kernel.ProcessId(int(pid), int(started)).is_alive():
            _remove(folder)


def _kill(folder: Path) -> None:
    with suppress(OSError):
        (folder / "cgroup.kill").write_text("1")


def _remove(folder: Path) -> None:
    _kill(folder)
    # Those that its processes made below it first, the deepest before all. Another may be removing them, too.
    for below, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):  # somebody is still dying in it; the next one removes it
            Path(below).rmdir()
