"""A database and a broker of a test's own, beside the product: what an operator of many machines brings."""

import os
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from runs.management import broker
from tests.journeys.product import eventually


@contextmanager
def postgres() -> Iterator[str]:
    """The address of an empty database on the server that DATABASE_URL names."""
    server = urlsplit(os.environ["DATABASE_URL"].replace("postgis://", "postgres://"))
    name = f"journey_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(urlunsplit(server), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urlunsplit(server._replace(path=f"/{name}"))
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def held_port() -> Iterator[int]:
    """A port that the system gives to nobody else, and on which a server that is told of it may listen."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """The address of a broker on a port of its own."""
    with held_port() as port:
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        server = subprocess.Popen([broker.find_server(), *options], stdout=subprocess.DEVNULL)
        try:
            eventually(lambda: _answers(port))
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.kill()
            server.wait()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as client:
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
    except OSError:
        return False
