"""The product under test: `manage.py up` in a folder of its own, on a database of its own."""

import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil

ROOT = Path(__file__).resolve().parents[2]
# Short times, so that what takes minutes in life takes seconds here.
SETTINGS = {
    "STUDIO_LEASE_SECONDS": "3",
    "STUDIO_LOST_SECONDS": "3",
    "STUDIO_GRACE_SECONDS": "1",
    "STUDIO_CANCEL_POLL_SECONDS": "0.2",
    "STUDIO_POLL_SECONDS": "0.5",
    "STUDIO_RETRY_SECONDS": "0.3",
    "STUDIO_CLIENT_SILENT_SECONDS": "4",
    "STUDIO_CLIENT_LOST_SECONDS": "8",
    "STUDIO_LOG_LEVEL": "WARNING",
}
_POSTGRES = "/usr/lib/postgresql/15/bin"


class Sqlite:
    """A file, which somebody else may lock."""

    url = ""
    is_own = True

    def __init__(self, home: Path) -> None:
        self._path = home / "studio.sqlite3"

    def open(self) -> None:
        """Leave it to the product to make the file."""

    def lock(self, seconds: float) -> None:
        """Hold the write lock."""
        outside = sqlite3.connect(self._path, isolation_level=None, timeout=30)
        try:
            outside.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            outside.execute("ROLLBACK")
        finally:
            outside.close()

    def close(self) -> None:
        """Leave nothing."""


class Postgres:
    """A database on a server that is given, or on one of our own that may be stopped and frozen."""

    def __init__(self, folder: Path, given_url: str) -> None:
        self.is_own = not given_url
        self._folder = folder / "postgres"
        if self.is_own:
            self._port = free_port()
            self._folder.mkdir()
            self._as_owner("initdb", "-D", str(self._data), "-A", "trust", "-U", "studio")
            given_url = f"postgres://studio@127.0.0.1:{self._port}/postgres"
        self._given_url = given_url
        self._name = f"studio_faults_{secrets.token_hex(4)}"
        self.url = urlunsplit(urlsplit(given_url)._replace(path=f"/{self._name}"))

    def open(self) -> None:
        """Start our server, if it is ours, and make the database."""
        if self.is_own:
            self.start()
        self._execute(f"CREATE DATABASE {self._name}")

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def start(self) -> None:
        """Start our server. Its temporary data need not survive the machine."""
        options = (
            f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self._folder}"
            " -c fsync=off -c max_connections=100"
        )
        log = str(self._folder / "log")
        self._as_owner("pg_ctl", "-D", str(self._data), "-w", "-l", log, "-o", options, "start")

    def stop(self, *, immediately: bool = False) -> None:
        """Stop our server; `immediately` is a crash."""
        self._as_owner("pg_ctl", "-D", str(self._data), "-m", "immediate" if immediately else "fast", "-w", "stop")

    def processes(self) -> list[psutil.Process]:
        """Return the processes of our server."""
        server = psutil.Process(int((self._data / "postmaster.pid").read_text().split()[0]))
        return [server, *server.children(recursive=True)]

    def cut(self) -> None:
        """End every connection to our database."""
        self._execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            [self._name],
        )

    def lock(self, seconds: float) -> None:
        """Hold a lock on the runs that keeps everybody from writing them."""
        import psycopg

        with psycopg.connect(self.url) as connection:
            connection.execute("LOCK TABLE runs_run IN EXCLUSIVE MODE")
            time.sleep(seconds)

    def close(self) -> None:
        """Remove our database, and our server."""
        with suppress(Exception):
            self._execute(f"DROP DATABASE {self._name} WITH (FORCE)")
        if self.is_own:
            with suppress(subprocess.CalledProcessError):
                self.stop(immediately=True)

    def _execute(self, statement: str, parameters: list[str] | None = None) -> None:
        import psycopg

        with psycopg.connect(self._given_url, autocommit=True) as connection:
            connection.execute(statement, parameters)

    def _as_owner(self, program: str, *arguments: str) -> None:
        # PostgreSQL refuses to run as root.
        prefix: list[str] = []
        if os.getuid() == 0:
            shutil.chown(self._folder, "postgres")
            prefix = ["runuser", "-u", "postgres", "--"]
        subprocess.run(
            [*prefix, f"{_POSTGRES}/{program}", *arguments],
            cwd="/", check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip


class Site:
    """Everything: folder, database, `up`, a second worker beside it."""

    def __init__(self, database: str, given_url: str, *, slots: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="studio-faults-"))
        self.folder.chmod(0o755)  # PostgreSQL's own user passes through
        self.home, self.witness = self.folder / "home", self.folder / "witness"
        for path in (self.home, self.witness):
            path.mkdir(mode=0o700)
        self.database = Postgres(self.folder, given_url) if database == "postgres" else Sqlite(self.home)
        self._held, self.port = hold_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.word = secrets.token_hex(16)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("STUDIO_", "DJANGO_", "DATABASE_URL", "REDIS_URL"))
        }
        self.environment = {
            **kept,
            **SETTINGS,
            "STUDIO_HOME": str(self.home),
            "STUDIO_URL": self.address,
            "STUDIO_SECRET_KEY": secrets.token_urlsafe(50),
            "STUDIO_FAULTS_WORD": self.word,
            **({"DATABASE_URL": self.database.url} if self.database.url else {}),
        }
        self.has_small_disk = False
        self._is_closed = False
        self._slots = slots
        self.up: subprocess.Popen[bytes] | None = None
        self.second_worker: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start what does not run: database and disk once, `up` and the second worker; wait for the pages."""
        if self.up is None:
            self.has_small_disk = self._mount_small_disk()
            self.database.open()
        if self.up is None or self.up.poll() is not None:
            self.up = self._manage("up", "--port", str(self.port), "--workers", str(self._slots), "--keep-runs")
            deadline = time.monotonic() + 90
            while not self.answers():
                if time.monotonic() > deadline or self.up.poll() is not None:
                    raise RuntimeError(f"it does not start, see {self.log}")
                time.sleep(0.1)
        self.start_second_worker()

    def start_second_worker(self) -> None:
        """Start the second worker where it does not run."""
        if self.second_worker is None or self.second_worker.poll() is not None:
            self.second_worker = self._manage("up", "--only", "worker")

    @property
    def log(self) -> Path:
        """Where the product's own words go."""
        return self.folder / "up.log"

    def answers(self) -> bool:
        """Return whether the web server accepts connections."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def part(self, name: str) -> psutil.Process | None:
        """Return the process of one part of `up`, as `top` names it."""
        if self.up is None or self.up.poll() is not None:
            return None
        for child in psutil.Process(self.up.pid).children():
            with suppress(psutil.Error):
                if child.name() == name:
                    return child
        return None

    def processes(self) -> list[psutil.Process]:
        """Return every process of the product, supervisors included, and no script."""
        return [process for process in psutil.process_iter() if self._carries(process)]

    def token(self) -> str:
        """Return an API token of the administrator."""
        argv = [sys.executable, "manage.py", "create_token", "admin"]
        made = subprocess.run(
            argv, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=True, timeout=300
        )
        return made.stdout.strip()

    def close(self) -> None:
        """End all that was started, and remove all that was written."""
        self._is_closed = True  # another thread may be about to start something
        for process in self.processes():
            with suppress(psutil.Error):
                process.resume()
        for process in (self.second_worker, self.up):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(10)
        for _ in range(3):
            for process in self.processes():
                with suppress(psutil.Error):
                    process.kill()
            time.sleep(0.2)
        for started in (self.second_worker, self.up):
            if started is not None:
                started.wait(10)
        self.database.close()
        self._held.close()
        if self.has_small_disk:
            subprocess.run(["umount", "--lazy", str(self.home / "data")], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _manage(self, *arguments: str) -> "subprocess.Popen[bytes]":
        if self._is_closed:
            raise RuntimeError("the site is closed")
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "manage.py", *arguments],
                cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip

    def _mount_small_disk(self) -> bool:
        """Put logs, outputs and snapshots on a small disk of their own, where that is allowed."""
        data = self.home / "data"
        data.mkdir(mode=0o700)
        if os.getuid() != 0:
            return False
        options = ["-t", "tmpfs", "-o", "size=64m,mode=700", "studio-faults", str(data)]
        return subprocess.run(["mount", *options], check=False, stderr=subprocess.DEVNULL).returncode == 0

    def _carries(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("STUDIO_FAULTS_WORD") == self.word
        except (psutil.Error, OSError):
            return False


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def hold_port() -> tuple[socket.socket, int]:
    """Return a port that is given to nobody else, whoever is told of it comes or goes; and what holds it."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held, int(held.getsockname()[1])


@contextmanager
def site(database: str, given_url: str, *, slots: int) -> Iterator[Site]:
    """A site that is gone afterwards, whatever happens."""
    built = Site(database, given_url, slots=slots)
    try:
        yield built
    finally:
        built.close()
