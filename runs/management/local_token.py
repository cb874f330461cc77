"""The token by which SDK and command line sign in by themselves: on this machine, for the user who runs `up`."""

import json
import os
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from runs.actions import tokens

_NAME = "this machine"


def path() -> Path:
    """Return where the token lies. The client looks there too, see `studio_sdk.connection`."""
    return settings.STUDIO_HOME / "run" / "local-token.json"


def write(*, user: User, address: str) -> None:
    """Write the token of `user` and the address into a file for its owner alone; a token that is still good is kept."""
    token = _good_token(user) or tokens.create_token(user=user, name=_NAME, at=timezone.now())[1]
    _write_private(path(), {"url": address, "token": token})
    if settings.STUDIO_HOME == settings.BASE_DIR / "var":
        # A client outside the checkout finds the default home by this; without it, `studio login` does.
        with suppress(OSError):
            _write_private(_pointer(), {"token_file": str(path())})


def _good_token(user: User) -> str | None:
    try:
        token = json.loads(path().read_text())["token"]
        found = tokens.authenticate(token, at=timezone.now())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return token if found is not None and found.user == user else None


def _pointer() -> Path:
    given = os.environ.get("STUDIO_CONFIG_HOME")
    return (Path(given) if given else _config_home() / "studio") / "local.json"


def _config_home() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def _write_private(target: Path, content: dict[str, str]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file)
    os.replace(temporary, target)
