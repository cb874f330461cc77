"""A client of the API that sends a token, and zips to submit."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from runs.actions import tokens
from runs.models import Run

ROOT = "/api/v1"


class Api:
    """Speaks to the API as the bearer of one token; without one, as nobody."""

    def __init__(self, secret: str = "") -> None:
        self.client = Client(enforce_csrf_checks=True)
        self.headers = {"Authorization": f"Bearer {secret}"} if secret else {}

    def get(self, path: str, params: dict[str, Any] | None = None, **headers: str):
        return self.client.get(ROOT + path, params, headers={**self.headers, **headers})

    def send(self, method: str, path: str, body: Any = None, **headers: str):
        return self.client.generic(
            method.upper(), ROOT + path, json.dumps(body), "application/json", headers={**self.headers, **headers}
        )

    def post(self, path: str, body: Any = None, **headers: str):
        return self.send("post", path, {} if body is None else body, **headers)

    def patch(self, path: str, body: Any):
        return self.send("patch", path, body)

    def put(self, path: str, data: bytes, **headers: str):
        return self.client.generic(
            "PUT", ROOT + path, data, "application/octet-stream", headers={**self.headers, **headers}
        )

    def send_bytes(self, path: str, data: bytes):
        return self.client.generic("POST", ROOT + path, data, "application/zip", headers=self.headers)

    def submit(
        self, config: dict[str, Any], snapshot: bytes | None = None, *, git_patch: bytes | None = None, **headers: str
    ):
        parts: dict[str, Any] = {"config": json.dumps(config)}
        if git_patch is not None:
            parts["git_patch"] = named(git_patch, "git_patch")
        if snapshot is not None:
            parts["snapshot"] = named(snapshot, "snapshot.zip")
        return self.client.post(f"{ROOT}/runs", parts, headers={**self.headers, **headers})


def named(content: bytes, name: str) -> io.BytesIO:
    handle = io.BytesIO(content)
    handle.name = name
    return handle


def zipped(files: dict[str, bytes | str]) -> bytes:
    """A zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return buffer.getvalue()


@pytest.fixture
def code() -> bytes:
    """The zip of a small script."""
    return zipped({"train.py": "print('hello')\n", "data/values.csv": "1,2\n"})


@pytest.fixture
def api_for(db: None) -> Callable[[User], Api]:
    """A client with a token of the given user."""

    def with_token(user: User) -> Api:
        return Api(tokens.create_token(user=user, name="test", at=timezone.now())[1])

    return with_token


@pytest.fixture
def api_of(db: None) -> Callable[[Run], Api]:
    """A client with the token of the given run's latest attempt."""

    def with_token(run: Run) -> Api:
        return Api(tokens.create_run_token(run=run, attempt_number=run.attempt_number, at=timezone.now())[1])

    return with_token


@pytest.fixture
def nobody(db: None) -> Api:
    """A client without a token."""
    return Api()
