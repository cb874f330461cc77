"""Requests of a worker to the web server that holds the bytes: one connection, tried again where that may help."""

import http.client
import json
import random
import ssl
import time
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode, urlsplit

from runs.errors import RunsError

_TIMEOUT_SECONDS = 30.0
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_CHUNK_BYTES = 2**18
_WORTH_ANOTHER_TRY = {408, 425, 429}


class Unreachable(RunsError):
    """The web server did not answer, or not as itself; the bytes are still here."""

    code = "unreachable"


class Refused(RunsError):
    """The web server refused these bytes."""

    code = "refused"

    def __init__(self, message: str, *, code: str, field: str = "", size_bytes: int = 0) -> None:
        super().__init__(message, field=field)
        self.code = code
        self.size_bytes = size_bytes


class AttemptOver(RunsError):
    """The attempt has ended as far as the web server knows: nothing more is taken from it."""

    code = "stale_attempt"


class Link:
    """A way to the worker's part of the API, in the name of one attempt. For one thread at a time."""

    def __init__(self, url: str, secret: str) -> None:
        self._address = urlsplit(f"{url}/api/v1/worker/")
        self._headers = {"Authorization": f"Bearer {secret}"}
        self._connection: http.client.HTTPConnection | None = None

    def send(self, method: str, path: str, body: bytes, *, patience_seconds: float, **query: Any) -> dict[str, Any]:
        """Send `body`; return the answer. Raises Unreachable after `patience_seconds`, Refused or AttemptOver."""
        return self._insist(lambda: self._answer(self._request(method, path, body, query, {})), patience_seconds)

    def fetch(self, path: str, into: BinaryIO, *, patience_seconds: float) -> str:
        """Write what lies at `path` into `into`, going on where it broke off; return its ETag."""
        etag = ""

        def go_on() -> str:
            nonlocal etag
            have = into.seek(0, 2)
            headers = {"Range": f"bytes={have}-", "If-Range": etag} if have else {}
            response = self._request("GET", path, None, {}, headers)
            if have and response.status == 416:  # it was whole
                response.read()
                return etag
            if response.status not in (200, 206):
                self._answer(response)
            etag = response.headers.get("ETag", "")
            if response.status == 200:
                into.seek(0)
                into.truncate()
            while chunk := response.read(_CHUNK_BYTES):
                into.write(chunk)
            if response.length:  # the bytes that are still to come
                raise http.client.IncompleteRead(b"", response.length)
            return etag

        return self._insist(go_on, patience_seconds)

    def close(self) -> None:
        """Let the connection go; the next request makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _insist(self, ask: Any, patience_seconds: float) -> Any:
        deadline, pause = time.monotonic() + patience_seconds, _FIRST_PAUSE_SECONDS
        while True:
            try:
                return ask()
            except (OSError, http.client.HTTPException, Unreachable) as error:
                self.close()
                if time.monotonic() + pause > deadline:
                    if isinstance(error, Unreachable):
                        raise
                    raise Unreachable(f"{self._where()} does not answer: {error!r}") from error
            # Many workers lose one server at the same moment; they should not all come back at the same moment.
            time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _request(
        self, method: str, path: str, body: bytes | None, query: dict[str, Any], headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        connection = self._connection or self._connect()
        target = self._address.path + quote(path, safe="/")
        if query:
            target += f"?{urlencode(query)}"
        connection.request(method, target, body, {**self._headers, **headers})
        return connection.getresponse()

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._address.hostname or "", self._address.port
        if self._address.scheme == "https":
            self._connection = http.client.HTTPSConnection(
                host, port, timeout=_TIMEOUT_SECONDS, context=ssl.create_default_context()
            )
        else:
            self._connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
        return self._connection

    def _answer(self, response: http.client.HTTPResponse) -> dict[str, Any]:
        """Return the document of an answer, or raise what it means."""
        data = response.read()
        try:
            document = json.loads(data)
            error = document.get("error") or {}
        except (ValueError, AttributeError):
            document, error = None, {}
        if response.status in (200, 201) and document is not None:
            return document
        code, message = error.get("code", ""), error.get("message", "")
        if code == AttemptOver.code:
            raise AttemptOver(message)
        is_temporary = response.status >= 500 or response.status in _WORTH_ANOTHER_TRY
        # Whoever says 401, or speaks no words of ours, is not the server of this database.
        if is_temporary or not code or response.status == 401:
            raise Unreachable(f"{self._where()} answered {response.status} {message or response.reason}.")
        raise Refused(message, code=code, field=error.get("field") or "", size_bytes=error.get("size_bytes", 0))

    def _where(self) -> str:
        return f"{self._address.scheme}://{self._address.netloc}"
