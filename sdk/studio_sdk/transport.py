"""HTTP to the server, with the standard library: keep-alive, time limits, retries with jitter.

The only module that opens connections.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import random
import re
import shutil
import socket
import ssl
import time
import urllib.parse
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

from studio_sdk.exceptions import AuthenticationException, ServerUnreachable, ServiceException
from studio_sdk.version import VERSION

# The server is there but can not answer now: a restart, a proxy without a backend, a full queue.
_TRANSIENT = frozenset({408, 425, 429, 502, 503, 504})
_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 120.0
_IDLE_SECONDS = 4.0
_FIRST_PAUSE_SECONDS = 0.1
_CHUNK_BYTES = 1 << 16
_JSON = "\r\nContent-Type: application/json"

# Who asks, for the events of runs. The command line puts its own name here.
product = "studio-sdk"


class Response(NamedTuple):
    """An answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON; None where there is none."""
        return json.loads(self.body) if self.body else None


class Client:
    """A server and a token. May be shared by threads: no connection is used by two at once.

    `retry_seconds` is how long a request is repeated while the server is away; `root` is where
    its API begins.

    >>> client = Client("http://127.0.0.1:8000", token="...")
    >>> client.get("/me")["username"]
    """

    root = "/api/v1"

    def __init__(self, url: str, *, token: str = "", retry_seconds: float = 20.0):
        self.url = url.rstrip("/")
        self.authorization = f"Bearer {token}" if token else ""
        self.retry_seconds = retry_seconds
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise AuthenticationException(f"{url!r} is no address of a server; expected http://HOST[:PORT].")
        self._parts = parts
        # Connections at rest, with the process that opened them and the time of their latest use.
        self._idle: deque[tuple[http.client.HTTPConnection, int, float]] = deque()

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def __del__(self) -> None:
        for connection, _, _ in getattr(self, "_idle", ()):
            connection.close()

    def get(self, path: str, params: dict[str, Any] | None = None, **options: Any) -> Any:
        """Return the document at `path` of the API."""
        return self.request("GET", path, params=params, **options).json()

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        """Send `body` as JSON; return the document that is answered."""
        return self.request("POST", path, body={} if body is None else body, **options).json()

    def make(self, path: str, body: Any) -> Any:
        """POST `body` under a key of its own: sent again because an answer got lost, it makes nothing twice."""
        return self.post(path, body, headers={"Idempotency-Key": uuid.uuid4().hex}, repeatable=True)

    def patch(self, path: str, body: Any, **options: Any) -> Any:
        """Change the document at `path`; return it."""
        return self.request("PATCH", path, body=body, **options).json()

    def pages(self, path: str, params: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Yield the items of a list, fetching its pages as they are needed."""
        cursor = None
        while True:
            page = self.get(path, {**(params or {}), "cursor": cursor})
            yield from page["items"]
            cursor = page.get("next")
            if not cursor:
                return

    def upload(self, path: str, stream: BinaryIO, *, is_new: bool = False, **options: Any) -> Any:
        """PUT the bytes of a seekable stream, from its beginning; with `is_new` only where nothing is yet."""
        size = stream.seek(0, io.SEEK_END)
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        if is_new:
            headers["If-None-Match"] = "*"
        return self.request("PUT", path, raw=stream, headers=headers, **options).json()

    def post_multipart(self, path: str, *, fields: dict[str, Any], file: tuple[str, BinaryIO], key: str) -> Any:
        """POST JSON parts, small files and one zip, under an idempotency key: sent twice, it acts once."""
        boundary = uuid.uuid4().hex
        name, stream = file
        head = b""
        for field, value in fields.items():
            is_file = isinstance(value, bytes)
            kind = f'; filename="{field}"\r\nContent-Type: application/octet-stream'
            head += (
                f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"{kind if is_file else _JSON}\r\n\r\n'
            ).encode()
            head += (value if is_file else json.dumps(value).encode()) + b"\r\n"
        head += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}.zip"\r\n'
            "Content-Type: application/zip\r\n\r\n"
        ).encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        size = stream.seek(0, io.SEEK_END)
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(head) + size + len(tail)),
            "Idempotency-Key": key,
        }
        return self.request("POST", path, raw=_Joined(head, stream, tail), headers=headers, repeatable=True).json()

    def download(self, path: str, target: BinaryIO) -> None:
        """Copy the bytes at `path` into `target`; a broken transfer is resumed from where it stopped."""
        start = target.tell()
        ends_at = time.monotonic() + self.retry_seconds
        etag = ""
        while True:
            have = target.tell() - start
            headers = {"Range": f"bytes={have}-", "If-Range": etag} if have and etag else {}

            def copy(answer: http.client.HTTPResponse, had: int = have) -> bytes:
                nonlocal etag
                etag = answer.headers.get("ETag", "") or ""
                if had and answer.status != 206:
                    target.seek(start)
                    target.truncate()
                shutil.copyfileobj(answer, target, _CHUNK_BYTES)
                return b""

            try:
                self.request("GET", path, headers=headers, read=copy, repeatable=False)
            except ServerUnreachable:
                if time.monotonic() > ends_at:
                    raise
                time.sleep(_FIRST_PAUSE_SECONDS)
            else:
                return

    def request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        body: Any = None,
        raw: Any = None,
        headers: dict[str, str] | None = None,
        retry_seconds: float | None = None,
        repeatable: bool | None = None,
        read: Callable[[http.client.HTTPResponse], bytes] = http.client.HTTPResponse.read,
    ) -> Response:
        """Send one request to the API; return the answer if it is a good one, its body read by `read`.

        A request that may be `repeatable` (by default all but POST) is sent again, with growing
        pauses, while the server can not be reached; any other only if it never got through.

        Raises ServerUnreachable, AuthenticationException (401), ServiceException (other refusals).
        """
        payload = raw if raw is not None else (None if body is None else json.dumps(body).encode())
        sent_headers = {
            "Accept": "application/json",
            "User-Agent": f"{product}/{VERSION}",
            **({"Authorization": self.authorization} if self.authorization else {}),
            **({"Content-Type": "application/json"} if body is not None else {}),
            **(headers or {}),
        }
        target = self._parts.path + self.root + path + _query(params)
        may_repeat = method != "POST" if repeatable is None else repeatable
        ends_at = time.monotonic() + (self.retry_seconds if retry_seconds is None else retry_seconds)
        pause = _FIRST_PAUSE_SECONDS
        while True:
            reached = _Reached()
            try:
                response = self._send(method, target, payload, sent_headers, reached, read)
            except (OSError, http.client.HTTPException) as error:
                failure: Exception = ServerUnreachable(
                    f"{self.url} does not answer ({_words(error)}). Is the server running there?",
                    inner_exception=error,
                )
                repeat = may_repeat or not reached.yes
            else:
                if response.status < 400 and response.status not in {301, 302, 307, 308}:
                    return response
                failure = self._refusal(method, path, response)
                repeat = response.status in _TRANSIENT and (may_repeat or response.status in {429, 503})
            wait = pause * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
            if not repeat or time.monotonic() + wait > ends_at:
                raise failure
            time.sleep(wait)
            pause = min(pause * 2, 5.0)

    def _send(
        self,
        method: str,
        target: str,
        payload: Any,
        headers: dict[str, str],
        reached: _Reached,
        read: Callable[[http.client.HTTPResponse], bytes],
    ) -> Response:
        connection = self._take()
        try:
            if connection.sock is None:
                connection.connect()
                assert connection.sock is not None  # noqa: S101 - for the type checker
                connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.sock.settimeout(_ANSWER_SECONDS)
            reached.yes = True
            if hasattr(payload, "seek"):
                payload.seek(0)
            connection.request(method, target, body=payload, headers=headers)
            answer = connection.getresponse()
            body = read(answer) if answer.status < 300 else answer.read()
        except BaseException:
            connection.close()
            raise
        self._idle.append((connection, os.getpid(), time.monotonic()))
        return Response(answer.status, answer.headers, body)

    def _take(self) -> http.client.HTTPConnection:
        """Return a connection at rest, or a new one.

        The server closes connections that rest too long; a request that meets the close could not be told from one
        that was lost. And a forked child must not speak on its parent's connection.
        """
        while self._idle:
            try:
                connection, process, used_at = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if process == os.getpid() and time.monotonic() - used_at < _IDLE_SECONDS:
                return connection
            connection.close()
        return self._connect()

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(
                host, port, timeout=_CONNECT_SECONDS, context=ssl.create_default_context()
            )
        return http.client.HTTPConnection(host, port, timeout=_CONNECT_SECONDS)

    def _refusal(self, method: str, path: str, response: Response) -> ServiceException | AuthenticationException:
        problems = None
        try:
            error = json.loads(response.body)["error"]
            message, code, field = error["message"], error.get("code", ""), error.get("field") or ""
            problems = error.get("problems")
        except (ValueError, KeyError, TypeError):
            message, code, field = f"{response.status} for {method} {path}", "", ""
        if 300 <= response.status < 400:
            elsewhere = re.sub(r"/api/v1/.*", "", response.headers.get("Location") or "")
            message = f"{self.url} has moved to {elsewhere or 'another address'}; sign in there."
        if response.status == 401:
            return AuthenticationException(
                f"{self.url} does not accept this token ({message.rstrip('.')}). Sign in with: studio login {self.url}"
            )
        kind = ServerUnreachable if response.status in _TRANSIENT else ServiceException
        return kind(message, status_code=response.status, code=code, field=field, problems=problems)


class _Reached:
    """Whether the server may have seen the request."""

    yes = False


class _Joined(io.RawIOBase):
    """Bytes, a stream and bytes, read as one."""

    def __init__(self, head: bytes, stream: BinaryIO, tail: bytes):
        self._parts: list[BinaryIO] = [io.BytesIO(head), stream, io.BytesIO(tail)]

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        for part in self._parts:
            part.seek(0)
        return 0

    def read(self, size: int = -1) -> bytes:
        for part in self._parts:
            data = part.read(size)
            if data:
                return data
        return b""


def quote(text: str) -> str:
    """Return `text` as one segment of an address."""
    return urllib.parse.quote(text, safe="")


def quote_name(name: str) -> str:
    """Return an experiment's name as one segment: the server writes `/` as ~2F and `~` as ~7E."""
    return quote(name.replace("~", "~7E").replace("/", "~2F"))


def quote_path(path: str) -> str:
    """Return a path of slashes as part of an address."""
    return urllib.parse.quote(path, safe="/")


def _query(params: dict[str, Any] | None) -> str:
    given = {
        key: str(value).lower() if isinstance(value, bool) else value
        for key, value in (params or {}).items()
        if value is not None and value != ""
    }
    return "?" + urllib.parse.urlencode(given, doseq=True) if given else ""


def _words(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
