"""Two stores for one set of tests: files on this machine, and those of a web server, over HTTP."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from runs import storage
from runs.actions import tokens
from runs.models import Attempt
from runs.status import RunStatus
from runs.storage import remote
from tests import factories


class Road:
    """A way to the server that breaks after so many bytes, as often as it is told; while it is closed, it refuses."""

    def __init__(self, url: str) -> None:
        self._to = urlsplit(url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.breaks_after: list[int] = []
        self.is_closed = False
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # a thread that waits for the next one would not see the close
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                theirs, _ = self._listener.accept()
            except OSError:
                return
            if self.is_closed:
                theirs.close()
                continue
            ours = socket.create_connection((self._to.hostname, self._to.port))
            left = [self.breaks_after.pop(0) if self.breaks_after else 2**62]
            for source, target in ((theirs, ours), (ours, theirs)):
                threading.Thread(target=self._carry, args=(source, target, left), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, left: list[int]) -> None:
        with closing(source), closing(target):
            try:
                while left[0] > 0 and (data := source.recv(4096)):
                    left[0] -= len(data)
                    target.sendall(data)
            except OSError:
                pass
            for end in (source, target):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def road(live_server: Any) -> Iterator[Road]:
    """The way of a worker to the live server."""
    road = Road(live_server.url)
    yield road
    road.close()


@pytest.fixture
def attempt(transactional_db: None, settings: Any, tmp_path: Path) -> Attempt:
    """The first attempt at a run, alive."""
    settings.STUDIO_HOME = tmp_path / "home"
    workspace, user = factories.workspace("default"), factories.user("olivia")
    run = factories.run(
        factories.experiment(workspace, "far"),
        by=user,
        status=RunStatus.RUNNING,
        attempt_number=1,
        compute_target=factories.compute_target(),
        snapshot=factories.snapshot(workspace, "5" * 64),
    )
    return factories.attempt(run, number=1)


@pytest.fixture
def http_store(
    attempt: Attempt, settings: Any, tmp_path: Path, live_server: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """This thread is a worker's; the live server's threads are the web server's, who has the files."""
    here = threading.current_thread()
    monkeypatch.setattr(storage, "is_remote", lambda: threading.current_thread() is here)
    settings.STUDIO_URL = live_server.url
    secret = tokens.create_worker_token(run=attempt.run, attempt_number=attempt.number, at=timezone.now())[1]
    storage.sign_in(attempt.run_id, outbox=tmp_path / "outbox", make_secret=lambda: secret)
    yield
    storage.sign_out(attempt.run_id)
    assert not remote._sessions


@pytest.fixture(params=["files", pytest.param("http", marks=pytest.mark.slow)])
def run_pk(request: pytest.FixtureRequest, attempt: Attempt) -> int:
    """The run whose bytes are stored, in either store."""
    if request.param == "http":
        request.getfixturevalue("http_store")
    return attempt.run_id
