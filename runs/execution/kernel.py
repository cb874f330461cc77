"""What Python 3.11 does not offer of Linux: prctl, namespaces, /proc. Pure: knows no Django."""

import ctypes
import gc
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

COOKIE_VARIABLE = "STUDIO_ATTEMPT"

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWPID = 0x20000000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_MS_REC, _MS_SLAVE = 0x4000, 0x80000

# More than what is kept in lists of its own size, less than what gets a mapping of its own.
_LARGE_BYTES = 100_000

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def become_subreaper() -> None:
    """Become the parent of every descendant that loses its own."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def hide_memory(*, hidden: bool = True) -> None:
    """Forbid other processes of the same user to read this one's memory and environment."""
    _check(_libc.prctl(_PR_SET_DUMPABLE, 0 if hidden else 1, 0, 0, 0))


def die_with_parent() -> None:
    """Be killed when the thread that forked this process ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))


def be_nicer(by: int) -> None:
    """Let others come first at the processor, by so many steps more than until now."""
    os.nice(by)
    be_nice_as_a_session(os.getpid())


def be_nice_as_a_session(pid: int) -> bool:
    """Have the session of a process count as nice as the process itself; return False if it is to be tried later.

    Where the scheduler shares processor time between sessions first (autogroup), niceness
    counts among the processes of one session only: each script would take as much as the
    web server. Except from root, the kernel takes ten such wishes a second, of all users together.
    """
    try:
        nice = os.getpriority(os.PRIO_PROCESS, pid)
        if nice > 0:
            Path(f"/proc/{pid}/autogroup").write_text(str(nice))
    except BlockingIOError:
        return False
    except OSError:  # a system without autogroups, or a process that has gone
        pass
    return True


def gain_no_privileges() -> None:
    """Let no program that is started from here on be more than this process is, whatever its set-user bit says."""
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def tidy_memory() -> None:
    """Put in order, before children are forked, what each of them would else put in order in a copy of its own.

    The garbage collector leaves alone what is there by now. The C library joins what was freed
    in pieces, and sorts it at the next request that none of them fits (3 ms of the first
    `sqlite3.connect` of each child, and 4 MiB of it, when measured).
    """
    gc.collect()
    with suppress(AttributeError):  # another C library
        _libc.malloc_trim(0)
    bytearray(_LARGE_BYTES)
    gc.freeze()


def enter_namespaces() -> None:
    """Give the children to come process ids, and this process mounts, of their own. Raises OSError.

    Root does it directly; anybody else through a user namespace in which nothing but
    their own user and group exists.
    """
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        _check(_libc.unshare(_CLONE_NEWPID | _CLONE_NEWNS))
    else:
        hide_memory(hidden=False)  # the files below belong to root otherwise
        _check(_libc.unshare(_CLONE_NEWUSER | _CLONE_NEWPID | _CLONE_NEWNS))
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def mount_own_proc() -> None:
    """Show this process id namespace, and only it, under /proc. Raises OSError."""
    # Mounts made here stay here; those made outside later still arrive.
    _check(_libc.mount(None, b"/", None, _MS_REC | _MS_SLAVE, None))
    _check(_libc.mount(b"proc", b"/proc", b"proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, None))


@dataclass(frozen=True)
class ProcessId:
    """A process for sure: a pid alone may belong to a stranger by the time it is used."""

    pid: int
    # In clock ticks since the system started.
    started: int

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        """Return the identity of the process that has `pid` now, or None where there is none."""
        fields = stat(pid)
        return cls(pid, int(fields[19])) if fields else None

    def is_alive(self) -> bool:
        """Return whether this very process still runs; a zombie does not."""
        fields = stat(self.pid)
        return bool(fields) and int(fields[19]) == self.started and fields[0] not in ("Z", "X")

    def send(self, number: int) -> bool:
        """Send the signal `number` to this very process; return whether it was there to get it."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except OSError:
            return False
        try:
            # The descriptor holds the process; what it holds is ours if it started when ours did.
            if not self.is_alive():
                return False
            signal.pidfd_send_signal(descriptor, number)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True


def stat(pid: int | str) -> list[str]:
    """Return the fields of /proc/PID/stat from the third on (state, parent, ...), or none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes().decode(errors="replace")
    except OSError:
        return []
    # The second field is the program's name in brackets, which may itself hold brackets and spaces.
    return text.rpartition(")")[2].split()


def lock_holder(path: Path, byte: int) -> ProcessId | None:
    """Return the process that holds the POSIX lock to write on one byte of a file, or None.

    Read from /proc: whoever opened the file to ask would lose its own locks on it when it closes it.
    """
    with suppress(OSError):
        held = path.stat()
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()
            # 1: POSIX ADVISORY WRITE <pid> <major>:<minor>:<inode> <first byte> <last byte>
            if fields[1:4] != ["POSIX", "ADVISORY", "WRITE"] or fields[5].rpartition(":")[2] != str(held.st_ino):
                continue
            holder = ProcessId.of(int(fields[4]))
            if holder and int(fields[6]) <= byte and (fields[7] == "EOF" or byte <= int(fields[7])):
                return holder if _has_open(holder.pid, held) else None
    return None


def _has_open(pid: int, file: os.stat_result) -> bool:
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if os.path.samestat(entry.stat(), file):
                    return True
    return False


def all_processes() -> Iterator[int]:
    """Return the pids that are visible under /proc."""
    return (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit())


def descendants(pid: int) -> list[ProcessId]:
    """Return the living descendants of `pid`, children before grandchildren."""
    children: dict[int, list[ProcessId]] = {}
    dead: set[int] = set()
    for other in all_processes():
        fields = stat(other)
        if fields:
            children.setdefault(int(fields[1]), []).append(ProcessId(other, int(fields[19])))
            if fields[0] in ("Z", "X"):
                dead.add(other)
    found: list[ProcessId] = []
    waiting = [pid]
    while waiting:
        for child in children.pop(waiting.pop(0), []):
            waiting.append(child.pid)
            if child.pid not in dead:
                found.append(child)
    return found


def cookies() -> Iterator[tuple[ProcessId, str]]:
    """Yield each process that carries a cookie in its environment, with the cookie."""
    prefix = f"{COOKIE_VARIABLE}=".encode()
    for pid in all_processes():
        identity = ProcessId.of(pid)
        with suppress(OSError):
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            for line in environment.split(b"\0"):
                if identity and line.startswith(prefix):
                    yield identity, line[len(prefix) :].decode(errors="replace")
                    break


def boot_id() -> str:
    """Return a word that changes with each start of the system, and differs between containers.

    Containers of one machine share the kernel's own id but cannot see each other's processes.
    """
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}-{Path('/proc/self/ns/pid').stat().st_ino}"
