"""The whole product as an operator runs it: `manage.py up` in a folder of its own, watched from outside."""

import atexit
import functools
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from zipfile import ZipFile

import httpx
import psutil
import psycopg

ROOT = Path(__file__).resolve().parents[2]
# What is tested is what is answered; how soon depends on what else runs.
ANSWER_SECONDS = 60


class Product:
    """A running `manage.py up`. Every process of it, and of its runs, carries a word by which it is found."""

    def __init__(
        self, home: Path, *options: str, prefix: Sequence[str] = (), is_first: bool = False, **environment: str
    ) -> None:
        self.word = uuid.uuid4().hex
        self.home = home
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("STUDIO_", "DJANGO_"))},
            "STUDIO_HOME": str(home),
            "STUDIO_TEST_WORD": self.word,
            "STUDIO_NICE": "0",  # beside tests, which are not nice, a script would wait for its turn
            **_servers_of(home, is_first=is_first),
            **environment,
        }
        if not is_first and not home.exists():
            shutil.copytree(_prepared()[0], home)
        self.log = home.parent / f"{self.word}.log"
        command = [*prefix, sys.executable, "manage.py", "up", "--port", "0", *options]
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")  # it may be in the middle of a letter

    @property
    def link(self) -> str:
        return re.search(r"once: (http\S+)", self.output)[1]

    @property
    def address(self) -> str:
        return re.search(r"Studio is at (http\S+)", self.output)[1]

    def wait_for(self, text: str, *, seconds: float = 120) -> None:
        eventually(lambda: text in self.output, seconds=seconds, about=lambda: f"{text!r} in:\n{self.output}")

    def wait_until_ready(self) -> None:
        self.wait_for("Ctrl-C stops it")
        eventually(self._is_ready, seconds=120, about=lambda: self.output)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.address}/readyz", timeout=ANSWER_SECONDS).status_code == 200
        except httpx.TransportError:  # a web server that was started again loads its pages first
            return False

    def parts(self) -> dict[str, psutil.Process]:
        """Return the process of each part, by the name that `top` shows."""
        found = {}
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):  # it ended meanwhile
                found[child.name()] = child
        return found

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command on the same data."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    def processes(self) -> list[str]:
        """Return the command line of every process that carries the word."""
        found = []
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):  # it ended meanwhile, or is a zombie
                found.append(f"{process.pid} {process.name()} {' '.join(process.cmdline())}")
        return found

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Send a signal, and wait until the command has ended, which it must within ten seconds."""
        self.process.send_signal(number)
        self.process.wait(10)

    def stop_all(self, number: int = signal.SIGTERM) -> None:
        """Send a signal, and wait until nothing of it is left, which must be so within ten seconds."""
        deadline = time.monotonic() + 10
        self.stop(number)
        eventually(
            lambda: not self.processes(), seconds=deadline - time.monotonic(), about=lambda: str(self.processes())
        )

    def kill(self) -> None:
        """Kill every process of it, at once."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        eventually(self._is_killed, about=lambda: str(self.processes()))

    def _is_killed(self) -> bool:
        # What was forked while one looked is found the next time.
        found = self._processes()
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return not found

    def _processes(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if self._carries(process)]

    def _carries(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("STUDIO_TEST_WORD") == self.word
        except (psutil.Error, OSError):
            return False


def _servers_of(home: Path, *, is_first: bool) -> dict[str, str]:
    """Where the tests are told of servers: a database for this folder alone, and a broker's for this test process."""
    servers = {}
    if "DATABASE_URL" in os.environ:
        server = urlsplit(os.environ["DATABASE_URL"])
        name = f"product_{hashlib.sha256(str(home).encode()).hexdigest()[:12]}"
        if name not in _databases:
            _create_database(name, template="template1" if is_first else _prepared()[1])
        servers["DATABASE_URL"] = urlunsplit(server._replace(path=f"/{name}"))
    if "REDIS_URL" in os.environ:
        number = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
        servers["REDIS_URL"] = urlunsplit(urlsplit(os.environ["REDIS_URL"])._replace(path=f"/{number}"))
    return servers


_databases: set[str] = set()


def _create_database(name: str, *, template: str) -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    _databases.add(name)


@functools.cache
def _prepared() -> tuple[Path, str]:
    """A folder with static files and a database with tables, on the server where there is one, made once for all."""
    home, name = Path(tempfile.mkdtemp(prefix="studio-prepared-")), f"product_prepared_{uuid.uuid4().hex[:8]}"
    atexit.register(shutil.rmtree, home)
    environment = {**os.environ, "STUDIO_HOME": str(home), "DJANGO_SETTINGS_MODULE": "studio.settings"}
    if "DATABASE_URL" in os.environ:
        _create_database(name, template="template1")
        environment["DATABASE_URL"] = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))
    prepare = "firstrun.make_home(); firstrun.migrate(); firstrun.collect_static_files()"
    program = f"import django; django.setup(); from runs.management import firstrun; {prepare}"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True)
    return home, name


@atexit.register
def _drop_databases() -> None:
    for name in _databases:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def running(
    home: Path, *options: str, prefix: Sequence[str] = (), is_first: bool = False, **environment: str
) -> Iterator[Product]:
    """A product that is killed with all that belongs to it when the test is over; `prefix` is what starts it.

    Database and static files are prepared, which saves seconds, but for somebody's first start (`is_first`).
    """
    product = Product(home, *options, prefix=prefix, is_first=is_first, **environment)
    try:
        yield product
    finally:
        product.kill()


def eventually(is_so: Callable[[], object], *, seconds: float = 90, about: Callable[[], str] = str) -> None:
    """Wait until `is_so`, or fail."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, about()
        time.sleep(0.05)


class Api:
    """The product's API, as the user `admin`. Each request has a connection of its own."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._headers = {"Authorization": f"Bearer {product.manage('create_token', 'admin').stdout.strip()}"}

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self._product.address + path, headers=self._headers, timeout=ANSWER_SECONDS)

    def post(self, path: str, **content: Any) -> httpx.Response:
        return httpx.post(self._product.address + path, headers=self._headers, timeout=ANSWER_SECONDS, **content)


def submit(api: Api, script: bytes, **config: Any) -> str:
    """Submit a script; return the run's id."""
    packed = BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr("main.py", script)
    text = json.dumps({"experiment": "up", "script": "main.py", **config})
    answer = api.post(
        "/api/v1/runs",
        files={"config": (None, text, "application/json"), "snapshot": ("snapshot.zip", packed.getvalue())},
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["run_id"]


def wait_for_status(api: Api, run_id: str, status: str, *, seconds: float = 90) -> None:
    eventually(
        lambda: api.get(f"/api/v1/runs/{run_id}").json()["status"] == status,
        seconds=seconds,
        about=lambda: api.get(f"/api/v1/runs/{run_id}").text,
    )


def seconds_between(earlier: str, later: str) -> float:
    """Return what lies between two times of the API: no page and no request that took its time is in it."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
