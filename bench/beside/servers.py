"""The two servers that are compared, each on a database of its own in a temporary folder, and their memory."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parents[2]
# That of `tests/compat`: what answers there is what is timed here.
MLFLOW = "mlflow==3.17.2"
_LONGEST_START_SECONDS = 90.0
_OURS = ("STUDIO_", "DATABASE_", "REDIS_", "MLFLOW_", "DJANGO_", "VIRTUAL_ENV", "PYTHONPATH")


@dataclass
class Place:
    """Where one of the two keeps its data: an address as Django or SQLAlchemy writes it, and a folder."""

    folder: Path
    database: str
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Server:
    """A running server, how it lets a client in, and its first process."""

    name: str
    address: str
    process: "subprocess.Popen[bytes]"
    authorization: str = ""

    def memory_mib(self) -> float:
        """Return the proportional memory of its processes (PSS)."""
        return sum(_pss_mib(pid) for pid in _family(self.process.pid))


@contextlib.contextmanager
def environment(folder: Path) -> Iterator[Path]:
    """Yield the bin folder of a virtual environment with MLflow, made here and gone afterwards."""
    from uv import find_uv_bin

    uv, made = find_uv_bin(), folder / "mlflow"
    packages = (MLFLOW, "psycopg[binary]")
    inherited = plain_environment()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    subprocess.run([uv, "--quiet", "venv", "--python", version, made], check=True, env=inherited, timeout=60)
    # Compiled at once: else the first start compiles all of it while it is waited for.
    install = [uv, "--quiet", "pip", "install", "--compile-bytecode", "--python", made / "bin" / "python", *packages]
    subprocess.run(install, check=True, env=inherited, timeout=600)
    try:
        yield made / "bin"
    finally:
        shutil.rmtree(made, ignore_errors=True)


def plain_environment() -> dict[str, str]:
    """Return the variables of this process without any that would lead one of the servers elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}


@contextlib.contextmanager
def places(folder: Path, database: str) -> Iterator[tuple[Place, Place]]:
    """Yield our place and MLflow's: SQLite files, or new databases on the PostgreSQL server of `database`."""
    ours, theirs = folder / "ours", folder / "theirs"
    for one in (ours, theirs):
        one.mkdir()
    if not database:
        home = {**plain_environment(), "STUDIO_HOME": str(ours)}
        sqlite = f"sqlite:///{theirs}/db.sqlite3"
        yield Place(ours, "", home), Place(theirs, sqlite, {**plain_environment(), "HOME": str(theirs)})
        return
    import psycopg

    word = secrets.token_hex(4)
    names = [f"bench_{word}_ours", f"bench_{word}_theirs"]
    with psycopg.connect(database, autocommit=True) as connection:
        for name in names:
            connection.execute(f"CREATE DATABASE {name}")
        try:
            addresses = [urlunsplit(urlsplit(database)._replace(path=f"/{name}")) for name in names]
            home = {**plain_environment(), "STUDIO_HOME": str(ours), "DATABASE_URL": addresses[0]}
            theirs_at = urlunsplit(urlsplit(addresses[1])._replace(scheme="postgresql"))
            yield (
                Place(ours, addresses[0], home),
                Place(theirs, theirs_at, {**plain_environment(), "HOME": str(theirs)}),
            )
        finally:
            for name in names:
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def make_schema_of_mlflow(tools: Path, place: Place) -> None:
    """Let MLflow's own migrations make its tables."""
    command = [tools / "mlflow", "db", "upgrade", place.database]
    subprocess.run(command, check=True, env=place.environment, capture_output=True, timeout=180)


@contextlib.contextmanager
def mlflow(tools: Path, place: Place, *, workers: int | None) -> Iterator[Server]:
    """Run MLflow's server, with so many workers or with as many as it takes by itself."""
    port = _free_port()
    command = [tools / "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", place.database, "--artifacts-destination", place.folder / "files"]
    command += ["--workers", str(workers)] if workers else []
    variables = {**place.environment, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    name = f"mlflow, {workers or 'default'}"
    with _running(command, variables, place.folder / f"{workers or 'default'}.log") as process:
        server = Server(name, f"http://127.0.0.1:{port}", process)
        _wait_for(server, f"{server.address}/health", place.folder / f"{workers or 'default'}.log")
        yield server


@contextlib.contextmanager
def studio(place: Place) -> Iterator[Server]:
    """Run the whole product: web server, worker, beat and broker."""
    port = _free_port()
    manage = [sys.executable, ROOT / "manage.py"]
    variables = {**place.environment, "PYTHONUNBUFFERED": "1", "STUDIO_LOG_LEVEL": "ERROR"}
    with _running([*manage, "up", "--port", str(port)], variables, place.folder / "up.log") as process:
        server = Server("studio", f"http://127.0.0.1:{port}", process)
        _wait_for(server, f"{server.address}/readyz", place.folder / "up.log")
        token = subprocess.run(
            [*manage, "create_token", "admin"], env=variables, check=True, capture_output=True, text=True, timeout=180
        ).stdout.strip()
        server.authorization = f"Bearer {token}"
        yield server


@contextlib.contextmanager
def _running(
    command: Sequence[str | Path], variables: dict[str, str], log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(map(str, command)),
            env=variables,
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        family = _family(process.pid)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        # A query that nobody waits for any more keeps a server busy for minutes.
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def _wait_for(server: Server, address: str, log: Path) -> None:
    ends_at = time.monotonic() + _LONGEST_START_SECONDS
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5) as answer:
            if answer.status == 200:
                return
        if server.process.poll() is not None or time.monotonic() > ends_at:
            raise SystemExit(f"{server.name} did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _family(pid: int) -> list[int]:
    """Return `pid` and all processes below it."""
    found, waiting = [], [pid]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
    return found


def _pss_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def play(tools: Path, server: Server, *, seconds: float) -> dict[str, float]:
    """Time the real client against a server, in a process of its own; return what it printed."""
    variables = {
        **plain_environment(),
        "MLFLOW_TRACKING_URI": server.address,
        "MLFLOW_TRACKING_TOKEN": server.authorization.removeprefix("Bearer "),
        "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    }
    script = Path(__file__).with_name("real_client.py")
    done = subprocess.run(
        # -P: `mlflow` is the package, not the program that started all this.
        [tools / "python", "-P", script, str(seconds)],
        env=variables, capture_output=True, text=True, timeout=60 + 20 * seconds, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"The client failed at {server.name}:\n{done.stderr[-3000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))
