"""Two stores for one set of tests: files on this machine, and those of a web server, over HTTP."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from runs import storage
from runs.actions import tokens
from runs.models import Attempt
from runs.status import RunStatus
from runs.storage import remote
from tests import factories


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
