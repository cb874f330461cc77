"""Foreign clients in environments of their own, and a running product for them to talk to."""

import fcntl
import os
import subprocess
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.journeys.product import Product, eventually, running
from tests.journeys.servers import held_port

# Today's, whole, since its server is what we compare with; and that of a year ago.
NOW = ("mlflow==3.17.2", "psutil")
THEN = ("mlflow-skinny==3.5.1", "scikit-learn<1.9", "pandas<3", "psutil")


@pytest.fixture(scope="session")
def environment(request: pytest.FixtureRequest) -> Callable[..., Path]:
    """The bin folder of a virtual environment with these packages, kept from one test run to the next."""

    def made(*packages: str) -> Path:
        named = f"{packages[0].replace('==', '-')}-{zlib.crc32(' '.join(packages).encode()):08x}"
        folder = request.config.cache.mkdir(f"compat-{named}")
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another test process may want the same one
            if not (folder / "complete").exists():
                _uv("venv", "--clear", "--python", "3.11", str(folder / "venv"))
                _uv("pip", "install", "--python", str(folder / "venv" / "bin" / "python"), *packages)
                (folder / "complete").touch()
        return folder / "venv" / "bin"

    return made


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A running product."""
    with running(tmp_path_factory.mktemp("compat") / "home") as product:
        product.wait_until_ready()
        yield product


@contextmanager
def mlflow_server(python: Path, folder: Path, *, database: Path | None = None) -> Iterator[str]:
    """The address of a real MLflow server, on an own database or a given one."""
    folder.mkdir()
    command = [str(python / "mlflow"), "server", "--host", "127.0.0.1", "--workers", "1"]
    stores = [
        "--backend-store-uri",
        f"sqlite:///{database or folder / 'db.sqlite'}",
        "--artifacts-destination",
        str(folder / "files"),
    ]
    environment = {
        "PATH": f"{python}:{os.environ['PATH']}",
        "HOME": str(folder),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    with held_port() as port, (folder / "log").open("wb") as log:
        command += ["--port", str(port), *stores]
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            url = f"http://127.0.0.1:{port}"
            eventually(lambda: _is_up(url), seconds=180, about=(folder / "log").read_text)
            yield url
        finally:
            os.killpg(server.pid, 9)
            server.wait()


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=60).status_code == 200
    except httpx.HTTPError:
        return False


def _uv(*arguments: str) -> None:
    from uv import find_uv_bin

    quiet = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    subprocess.run([find_uv_bin(), "--quiet", *arguments], check=True, env=quiet, timeout=600)
