"""Time what a user waits for, on a server of its own: `python bench/latency.py [--times 20] [--slots 4]`.

Starts `manage.py up` in a temporary folder, submits, cancels and reads through the API,
and prints a table with the median, the 95th percentile and the greatest of each. Beside
them stands what a bare interpreter takes here, since machines differ and are busy. All on
loopback, bounded, nothing is left.
"""

import argparse
import contextlib
import http.client
import io
import json
import os
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
_LONGEST_WAIT_SECONDS = 60.0

# Every script notes the time of its first line in the file that it is told.
_FIRST_LINE = "import time; at = time.time()\nimport sys; open(sys.argv[1], 'w').write(repr(at))\n"
_LAST_LINE = "time.sleep(0.3); open(sys.argv[1] + '.end', 'w').write(repr(time.time()))\n"
SCRIPTS = {
    "noop.py": "",
    "start.py": _FIRST_LINE,
    "end.py": _FIRST_LINE + _LAST_LINE,
    "cooperative": _FIRST_LINE + "time.sleep(100)",
    "ignores SIGTERM": "import signal; signal.signal(15, signal.SIG_IGN)\n" + _FIRST_LINE + "time.sleep(100)",
    "grandchild in a session of its own": (
        "import signal, subprocess, sys; signal.signal(15, signal.SIG_IGN)\n"
        "subprocess.Popen([sys.executable, '-c', 'import signal, time; signal.signal(15, 1); time.sleep(100)',"
        " sys.argv[1]], start_new_session=True)\n" + _FIRST_LINE + "time.sleep(100)"
    ),
    "prints.py": "import time\nfor _ in range(200): print(repr(time.time()), flush=True); time.sleep(0.1)\n",
}
_CANCELS = [name for name in SCRIPTS if not name.endswith(".py")]


class Server:
    """A running product and a client of its API."""

    def __init__(self, address: str, token: str, home: Path, process: "subprocess.Popen[str]") -> None:
        self.home = home
        self.process = process
        self.token = token
        self.address = address
        self._place = urlsplit(address).netloc
        self._connection = http.client.HTTPConnection(self._place, timeout=30)
        self._snapshots = {name: _zip({"train.py": text}) for name, text in SCRIPTS.items()}

    def call(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> Any:
        """Ask the API; return the JSON of its answer."""
        answer = self.fetch(method, "/api/v1" + path, body, kind)
        return json.loads(answer) if answer else None

    def fetch(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
        """Ask for a path; return the bytes of the answer."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
        except (http.client.HTTPException, ConnectionError):  # a connection that was kept for too long
            self._connection.close()
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
        data = answer.read()
        if answer.status >= 400:
            raise SystemExit(f"{method} {path}: {answer.status} {data[:500]!r}")
        return data

    def submit(self, name: str, *arguments: str) -> str:
        """Submit one of the scripts; return its run id."""
        config = {"experiment": "bench", "script": "train.py", "arguments": arguments}
        mark = uuid.uuid4().hex
        parts = [
            ('name="config"\r\nContent-Type: application/json', json.dumps(config).encode()),
            ('name="snapshot"; filename="s.zip"\r\nContent-Type: application/zip', self._snapshots[name]),
        ]
        body = b"".join(
            f"--{mark}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + data + b"\r\n"
            for head, data in parts
        )
        answer = self.call("POST", "/runs", body + f"--{mark}--\r\n".encode(), f"multipart/form-data; boundary={mark}")
        return str(answer["run_id"])

    def status(self, run_id: str) -> str:
        """Return a run's status."""
        return str(self.call("GET", f"/runs/{run_id}")["status"])

    def completed(self) -> int:
        """Return how many runs are Completed: a number that is kept, so that asking costs what is measured little."""
        return int(self.call("GET", "/experiments/bench")["runs_by_status"].get("Completed", 0))

    def wait_until_ended(self, run_id: str) -> str:
        """Wait for a run's end; return its status."""
        wait_for(lambda: self.status(run_id) in ("Completed", "Failed", "Canceled"), pause=0.02)
        return self.status(run_id)


def _zip(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


@contextlib.contextmanager
def server(*, slots: int) -> Iterator[Server]:
    """Run the product in a temporary folder, with so many slots."""
    home = Path(tempfile.mkdtemp(prefix="studio-bench-"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("STUDIO_", "DATABASE_"))}
    environment |= {"STUDIO_HOME": str(home), "PYTHONUNBUFFERED": "1", "STUDIO_LOG_LEVEL": "ERROR"}
    manage = [sys.executable, str(ROOT / "manage.py")]
    with (home / "up.log").open("w+") as log:
        process = subprocess.Popen(
            [*manage, "up", "--port", "0", "--workers", str(slots)],
            stdout=log,
            stderr=log,
            env=environment,
            text=True,
        )
        try:
            words = wait_for(lambda: words_after(home / "up.log", "Studio is at "), pause=0.05)
            token = subprocess.run(
                [*manage, "create_token", "admin"], env=environment, check=True, capture_output=True, text=True
            ).stdout.strip()
            yield Server(words, token, home, process)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            shutil.rmtree(home, ignore_errors=True)


def words_after(log: Path, mark: str) -> str:
    """Return the word that follows `mark` in a file, once its line is whole."""
    _, found, rest = log.read_text().partition(mark)
    return rest.split()[0] if found and "\n" in rest else ""


def wait_for(look: Callable[[], Any], *, pause: float = 0.002) -> Any:
    """Return the first true answer of `look`."""
    ends_at = time.monotonic() + _LONGEST_WAIT_SECONDS
    while not (answer := look()):
        if time.monotonic() > ends_at:
            raise SystemExit(f"waited {_LONGEST_WAIT_SECONDS:g} s in vain")
        time.sleep(pause)
    return answer


def noted(path: Path) -> float:
    """Return the time that a script wrote into a file, once it is there."""
    return float(wait_for(lambda: path.exists() and path.read_text()))


def time_bare(folder: Path) -> float:
    """Return the seconds from asking for a bare interpreter to the first line of its script."""
    path = folder / uuid.uuid4().hex
    asked = time.time()
    subprocess.Popen([sys.executable, "-c", _FIRST_LINE, str(path)]).wait()
    return noted(path) - asked


def time_start(served: Server, folder: Path) -> float:
    """Return the seconds from the request to the first line of the script."""
    path = folder / uuid.uuid4().hex
    asked = time.time()
    run_id = served.submit("start.py", str(path))
    seconds = noted(path) - asked
    served.wait_until_ended(run_id)
    return seconds


def time_cancel(served: Server, folder: Path, name: str, grace_seconds: float) -> float:
    """Return the seconds from the request to the end of the last process of the run."""
    path = folder / uuid.uuid4().hex
    run_id = served.submit(name, str(path))
    noted(path)
    poll = select.poll()
    watched = {os.pidfd_open(pid) for pid in _carrying(str(path))}
    for descriptor in watched:
        poll.register(descriptor, select.POLLIN)
    asked = time.monotonic()
    served.call("POST", f"/runs/{run_id}/cancel", json.dumps({"grace_seconds": grace_seconds}).encode())
    while watched:
        for descriptor, _ in poll.poll():
            poll.unregister(descriptor)
            os.close(descriptor)
            watched.discard(descriptor)
    seconds = time.monotonic() - asked
    if served.wait_until_ended(run_id) != "Canceled" or _carrying(str(path)):
        raise SystemExit(f"{name}: {served.status(run_id)}, {len(_carrying(str(path)))} processes left")
    return seconds


def _carrying(word: str) -> list[int]:
    """Return the processes with this word in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and word.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def time_next(served: Server, folder: Path, slots: int) -> float:
    """Return the seconds from the last line of a script that held the last slot to the first line of the next."""
    blocking = [str(folder / uuid.uuid4().hex) for _ in range(slots - 1)]
    held = [served.submit("cooperative", path) for path in blocking]
    for path in blocking:
        noted(Path(path))
    first, second = folder / uuid.uuid4().hex, folder / uuid.uuid4().hex
    served.submit("end.py", str(first))
    last = served.submit("start.py", str(second))
    seconds = noted(second) - noted(Path(f"{first}.end"))
    for run_id in held:
        served.call("POST", f"/runs/{run_id}/cancel", b'{"grace_seconds": 0}')
    for run_id in (*held, last):
        served.wait_until_ended(run_id)
    return seconds


def time_lines(served: Server, times: int) -> list[float]:
    """Return for lines of a log the seconds from print to the answer of the server that holds them."""
    run_id = served.submit("prints.py")
    path = f"/api/v1/runs/{run_id}/logs/user_logs/std_log.txt"
    wait_for(lambda: "std_log" in str(served.call("GET", f"/runs/{run_id}/logs")), pause=0.05)
    seconds, seen = [], 0
    while len(seconds) < times:
        lines = served.fetch("GET", path).decode().split("\n")[:-1]
        got = time.time()
        if seen:
            seconds += [got - float(line) for line in lines[seen:]]
        seen = max(seen, len(lines))
        time.sleep(0.005)
    served.call("POST", f"/runs/{run_id}/cancel", b'{"grace_seconds": 0}')
    served.wait_until_ended(run_id)
    return seconds[:times]


def time_many(served: Server, count: int) -> tuple[float, float]:
    """Submit `count` runs that do nothing at once; return the seconds until all were taken, and until all had ended."""
    before = served.completed()
    started = time.monotonic()
    for _ in range(count):
        served.submit("noop.py")
    taken = time.monotonic() - started
    wait_for(lambda: served.completed() >= before + count, pause=0.1)
    return taken, time.monotonic() - started


def time_many_bare(count: int, slots: int) -> float:
    """Return the seconds that as many bare interpreters take, so many at a time."""
    started = time.monotonic()
    running: list[subprocess.Popen[bytes]] = []
    for _ in range(count):
        if len(running) == slots:
            running.pop(0).wait()
        running.append(subprocess.Popen([sys.executable, "-c", ""]))
    for process in running:
        process.wait()
    return time.monotonic() - started


def memory_mib(pid: int) -> dict[str, float]:
    """Return the proportional memory of a process and all below it, by what they are."""
    sizes: dict[str, float] = {}
    waiting = [pid]
    while waiting:
        pid = waiting.pop()
        with contextlib.suppress(OSError):
            waiting += [
                int(child)
                for task in Path(f"/proc/{pid}/task").iterdir()
                for child in (task / "children").read_text().split()
            ]
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            name = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[-40:].strip()
            pss = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
            sizes[f"{pid} {name}"] = pss / 1024
    return sizes


def say(what: str, seconds: list[float], *, bare: float = 0.0) -> None:
    """Print one row of the table."""
    ordered = sorted(seconds)
    middle = statistics.median(ordered)
    high = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    ratio = f"{middle / bare:.1f}" if bare else ""
    print(f"| {what} | {len(ordered)} | {middle:.3f} | {high:.3f} | {ordered[-1]:.3f} | {ratio} |", flush=True)


def main() -> None:
    """Measure all and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--times", type=int, default=20, help="how often each is measured (default: 20)")
    parser.add_argument("--slots", type=int, default=4, help="how many runs execute at once (default: 4)")
    parser.add_argument("--runs", type=int, default=50, help="how many runs are submitted at once (default: 50)")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before, Python {sys.version.split()[0]}", flush=True)
    with server(slots=options.slots) as served, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        time.sleep(5)
        sizes = memory_mib(served.process.pid)
        print("| what (seconds) | times | median | p95 | greatest | of a bare start |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        time_start(served, folder)
        bare, starts = [], []
        for _ in range(options.times):  # side by side, so that both see the same machine
            bare.append(time_bare(folder))
            starts.append(time_start(served, folder))
        middle = statistics.median(bare)
        say("bare interpreter to its first line", bare, bare=middle)
        say("submit to the script's first line", starts, bare=middle)
        for kind in _CANCELS:
            grace = 5.0 if kind == "cooperative" else 0.5
            words = "" if kind == "cooperative" else ", 0.5 s of grace"
            times = max(3, options.times // 2)
            say(f"cancel to dead: {kind}{words}", [time_cancel(served, folder, kind, grace) for _ in range(times)])
        say("slot free to the next script's first line", [time_next(served, folder, options.slots) for _ in range(5)])
        say("line printed to line served", time_lines(served, options.times))
        taken, ended = time_many(served, options.runs)
        alone = time_many_bare(options.runs, options.slots)
        print(f"\n{options.runs} no-ops at once: taken in {taken:.2f} s, all ended after {ended:.2f} s,")
        print(f"{60 * options.runs / ended:,.0f} a minute; as many bare interpreters: {alone:.2f} s.")
        print(f"\nIdle memory (PSS): {sum(sizes.values()):.0f} MiB")
        for process, size in sorted(sizes.items(), key=lambda item: -item[1]):
            print(f"  {size:6.1f}  {process}")
    print(f"load {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()
