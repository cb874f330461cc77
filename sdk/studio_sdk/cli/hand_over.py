"""A person in a browser on this machine lets the command line in, as RFC 8252 and RFC 7636 have it.

The browser brings a code that works once to a port of 127.0.0.1; the token itself comes by POST,
in exchange for the code and a verifier that only this process knows.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import os
import re
import secrets
import socket
import socketserver
import sys
import threading
import webbrowser
from typing import Optional
from urllib.parse import parse_qs, urlencode, urlsplit

import typer

from studio_sdk.transport import Client

# How long the person may take in the browser.
WAIT_SECONDS = 180.0


def can_open_browser() -> bool:
    """Return whether there is a screen for one. One that runs in the terminal would be in the way."""
    screens = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in screens)


def ask(url: str, *, wait_seconds: float = WAIT_SECONDS) -> Optional[str]:
    """Return a token for the server `url`, or None if nobody lets this command in. Raises ServiceException."""
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
    with _Door(state) as door:
        asked = {
            "port": door.server_address[1],
            "state": state,
            "challenge": base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
            "machine": re.sub(r"[^\w.-]+", "-", socket.gethostname())[:64] or "this-machine",
        }
        page = f"{url.rstrip('/')}/tokens/hand-over/?{urlencode(asked)}"
        threading.Thread(target=door.serve_forever, daemon=True).start()
        try:
            if not webbrowser.open(page):
                return None
            typer.echo(f"Let this command in, in your browser: {page}")
            typer.echo("Ctrl-C stops; with --no-browser you can paste a token instead.")
            if not door.is_answered.wait(wait_seconds):
                return None
        finally:
            door.shutdown()
    answer = Client(url, retry_seconds=3).post("/login", {"code": door.code, "verifier": verifier})
    return str(answer["token"])


class _Door(socketserver.ThreadingTCPServer):
    """Listens on a free port of 127.0.0.1 for the browser."""

    daemon_threads = True

    def __init__(self, state: str) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.state = state
        self.code = ""
        self.is_answered = threading.Event()


class _Request(http.server.BaseHTTPRequestHandler):
    """What the browser brings. Whatever lacks our own secret of this login is not found."""

    server: _Door
    server_version, sys_version = "studio", ""
    timeout = 10

    def do_GET(self) -> None:
        """Take the code."""
        parts = urlsplit(self.path)
        given = parse_qs(parts.query)
        code, state = (given.get(name, [""])[0] for name in ("code", "state"))
        is_ours = parts.path == "/" and code and hmac.compare_digest(state.encode(), self.server.state.encode())
        text = b"The command line goes on. You can close this page.\n" if is_ours else b"There is nothing here.\n"
        self.send_response(200 if is_ours else 404)
        for name, value in (
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(text))),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)
        if is_ours:
            self.server.code = code
            self.server.is_answered.set()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the address holds the code."""
