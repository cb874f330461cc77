"""One client for all sides: JSON over HTTP on a connection that is kept."""

import http.client
import json
import socket
from typing import Any
from urllib.parse import urlencode, urlsplit

from bench.beside.servers import Server

API = "/api/2.0/mlflow/"
CHARTS = "/ajax-api/2.0/mlflow/"


class NoAnswer(Exception):
    """The server did not answer in time."""


class Client:
    """A connection. With `acks_at_once` the kernel confirms what comes without waiting for more.

    A server that writes an answer in two pieces and lets TCP hold the second until the
    first is confirmed (Nagle) costs each call what the client delays its confirmation: 40 ms.
    """

    def __init__(self, server: Server, *, timeout: float, acks_at_once: bool = False) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(server.address).netloc, timeout=timeout)
        self._headers = {"Content-Type": "application/json", "Accept": "*/*", "User-Agent": "bench"}
        if server.authorization:
            self._headers["Authorization"] = server.authorization
        self._acks_at_once = acks_at_once

    def post(self, call: str, body: Any) -> bytes:
        """Call by POST."""
        return self.send("POST", API + call, json.dumps(body).encode())

    def get(self, call: str, *, at: str = API, **query: Any) -> bytes:
        """Call by GET."""
        return self.send("GET", f"{at}{call}?{urlencode(query, doseq=True)}")

    def send(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Return the body of the answer. Raises NoAnswer; anything but success ends the program."""
        try:
            try:
                answer = self._ask(method, path, body)
            except (http.client.RemoteDisconnected, ConnectionError, http.client.CannotSendRequest):
                self._connection.close()  # it was kept for longer than the server does
                answer = self._ask(method, path, body)
            data = answer.read()
        except TimeoutError:
            self._connection.close()
            raise NoAnswer from None
        if answer.status != 200:
            raise SystemExit(f"{method} {path}: {answer.status} {data[:500]!r}")
        return data

    def _ask(self, method: str, path: str, body: bytes | None) -> http.client.HTTPResponse:
        self._connection.request(method, path, body, self._headers)
        if self._acks_at_once:
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return self._connection.getresponse()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
