"""A store that no server serves, in a folder or a database: an MLflow server of this machine is asked for it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from studio_sdk.exceptions import AzureMLException, UserErrorException

_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_START_SECONDS = 120.0
_SHOWN_CHARACTERS = 2_000


@contextmanager
def address_of(uri: str) -> Iterator[str]:
    """Give the address of a server for the store `uri`: its own, or that of one that is started for the time being.

    Raises UserErrorException for what is no store, and where there is no MLflow to serve it.
    """
    scheme = uri.partition(":")[0].lower() if ":" in uri else ""
    if scheme in ("http", "https"):
        yield uri
        return
    path = _path(uri, scheme)
    if path is not None and not path.exists():
        raise UserErrorException(f"There is no store at {path}.")
    if path is None and scheme.partition("+")[0] not in _DATABASES:
        raise UserErrorException(
            f"{uri!r} is no store of MLflow's; expected http://HOST:PORT of a server, the folder `mlruns`,"
            " or a database such as sqlite:///mlflow.db or postgresql://USER@HOST/NAME."
        )
    with _serving(uri, _program(uri)) as address:
        yield address


def _path(uri: str, scheme: str) -> Path | None:
    """Return the file or folder of a store that is one."""
    if scheme == "sqlite":
        return Path(uri.partition("///")[2].partition("?")[0])
    if scheme == "file":
        return Path(uri.partition(":")[2].removeprefix("//"))
    return None if scheme else Path(uri)


def _program(uri: str) -> list[str]:
    """Return the command that starts MLflow: that of this Python, or of the path."""
    if importlib.util.find_spec("mlflow") is not None:
        return [sys.executable, "-m", "mlflow"]
    found = shutil.which("mlflow")
    if found is None:
        raise UserErrorException(
            "A store in a folder or a database is read through MLflow's own server, and MLflow is not installed here."
            f" Install it (pip install mlflow), or run where it is: mlflow server --backend-store-uri {uri} --port 5000"
            " and import --from http://HOST:5000"
        )
    return [found]


@contextmanager
def _serving(uri: str, program: list[str]) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    options = ["--backend-store-uri", uri, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_TRACKING_")}
    # It only reads, for which a folder is good enough; and nothing is to be started in the background.
    environment.update({"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})
    before = signal.signal(signal.SIGTERM, _leave)
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            [*program, "server", *options],
            env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            ends_at = time.monotonic() + _START_SECONDS
            while not _is_up(address):
                if server.poll() is not None or time.monotonic() > ends_at:
                    log.seek(0)
                    said = log.read().decode(errors="replace")[-_SHOWN_CHARACTERS:]
                    raise AzureMLException(f"`mlflow server` can not read {uri}:\n{said}")
                time.sleep(0.2)
            yield address
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()
            signal.signal(signal.SIGTERM, before)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """End in good order, so that the server ends too."""
    raise SystemExit(128 + number)


def _is_up(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except OSError:
        return False
