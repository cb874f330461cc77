"""Which server, and with which token: the environment's, what was stored, or this machine's own."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Optional
from urllib.parse import urlsplit

from studio_sdk import env, values
from studio_sdk.exceptions import AuthenticationException
from studio_sdk.transport import Client

DEFAULT_URL = "http://127.0.0.1:8000"
# A script must live through a restart of the server; a person wants an answer.
_SCRIPT_RETRY_SECONDS = 90.0
_PERSON_RETRY_SECONDS = 10.0


class Login(NamedTuple):
    """A server and the token for it."""

    url: str
    token: str


def connect(url: Optional[str] = None, *, token: Optional[str] = None, retry_seconds: Optional[float] = None) -> Client:
    """Return a client for the server `url`, or for the one that is signed in to.

    Raises AuthenticationException if there is no token.
    """
    login = Login(url, token) if url and token else find_login(url)
    retry = _PERSON_RETRY_SECONDS if retry_seconds is None else retry_seconds
    return Client(login.url, token=login.token, retry_seconds=retry)


def for_this_run() -> Client:
    """Return the client of a script that a worker started."""
    return Client(env.text(env.URL), token=env.text(env.TOKEN), retry_seconds=_SCRIPT_RETRY_SECONDS)


def find_login(url: Optional[str] = None) -> Login:
    """Return the login for `url`, or the first there is. Raises AuthenticationException."""
    for login in _logins(url):
        if url is None or same(login.url, url):
            return login
    where = url or DEFAULT_URL
    raise AuthenticationException(
        f"Not signed in{f' to {url}' if url else ''}. Run: studio login {where}  (or set {env.URL} and {env.TOKEN})"
    )


def store_login(login: Login) -> Path:
    """Keep a login for this user alone, as the first of them; return the file."""
    path = config_folder() / "logins.json"
    others = [other for other in _stored() if not same(other.url, login.url)]
    _write_private(path, {"logins": [{"url": each.url, "token": each.token} for each in (login, *others)]})
    return path


def forget_login(url: str) -> bool:
    """Remove the login for `url`; return whether there was one."""
    stored = list(_stored())
    kept = [login for login in stored if not same(login.url, url)]
    if len(kept) < len(stored):
        _write_private(
            config_folder() / "logins.json", {"logins": [{"url": each.url, "token": each.token} for each in kept]}
        )
    return len(kept) < len(stored)


def config_folder() -> Path:
    """Return the folder of the user's own settings."""
    given = env.text(env.CONFIG_HOME)
    if given:
        return Path(given)
    base = os.environ.get("APPDATA") if os.name == "nt" else os.environ.get("XDG_CONFIG_HOME")
    return Path(base or Path.home() / ".config") / "studio"


def _logins(wanted: Optional[str]) -> Iterator[Login]:
    url, token = env.text(env.URL), env.text(env.TOKEN)
    if url and token:
        yield Login(url, token)
    stored = [*_stored(), *_of_this_machine()]
    if token and not url:
        yield Login(stored[0].url if stored else DEFAULT_URL, token)
    # The address alone chooses among what is stored.
    yield from (login for login in stored if wanted or not url or same(login.url, url))


def _stored() -> Iterator[Login]:
    content = _read_private(config_folder() / "logins.json") or {}
    for item in content.get("logins", []):
        yield Login(item["url"], item["token"])


def _of_this_machine() -> Iterator[Login]:
    """Yield the server that the same user runs here: `manage.py up` writes a token for its owner alone."""
    for path in _token_files():
        content = _read_private(path)
        if content and content.get("url") and content.get("token"):
            yield Login(content["url"], content["token"])


def _token_files() -> Iterator[Path]:
    home = env.text(env.HOME)
    if home:
        yield Path(home).expanduser() / "run" / "local-token.json"
        return
    # A checkout: ours if the client lies in one, that of the virtual environment, or the one we stand in.
    places = [Path(__file__).resolve().parents[2], Path(sys.prefix).parent, Path.cwd(), *Path.cwd().parents]
    for place in places:
        if (place / "manage.py").is_file():
            yield place / "var" / "run" / "local-token.json"
    pointer = _read_private(config_folder() / "local.json")
    if pointer and pointer.get("token_file"):
        yield Path(pointer["token_file"])


def _read_private(path: Path) -> Optional[dict[str, Any]]:
    """Return the JSON of a file that this user alone can read; None where there is none."""
    try:
        status = path.stat()
        if os.name != "nt":
            if status.st_uid != os.getuid():
                return None
            if stat.S_IMODE(status.st_mode) & 0o077:
                values.warn(f"{path} is readable by others and is not used; make it private with: chmod 600 {path}")
                return None
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _write_private(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
    os.replace(temporary, path)


def same(one: str, other: str) -> bool:
    """Return whether two addresses mean the same server."""

    def parts(url: str) -> tuple[Any, ...]:
        split = urlsplit(url.rstrip("/"))
        host = "127.0.0.1" if split.hostname == "localhost" else split.hostname
        return split.scheme, host, split.port, split.path

    return parts(one) == parts(other)
