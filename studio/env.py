"""Read settings from the environment, and fail loudly where a value makes no sense."""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def text(name: str, default: str = "") -> str:
    """Return the variable `name`, stripped, or `default` where it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool) -> bool:
    """Return the variable `name` as a truth value."""
    value = text(name).lower()
    if not value:
        return default
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name} is {value!r}; expected one of {sorted(_TRUE | _FALSE)}.")


def number(name: str, *, default: float, minimum: float = 0) -> float:
    """Return the variable `name` as a number of at least `minimum`."""
    value = text(name)
    if not value:
        return default
    try:
        parsed = float(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {value!r}; expected a number.") from None
    if not parsed >= minimum:
        raise ImproperlyConfigured(f"{name} is {value}; expected at least {minimum:g}.")
    return parsed


def integer(name: str, *, default: int, minimum: int = 0) -> int:
    """Return the variable `name` as a whole number of at least `minimum`."""
    parsed = number(name, default=default, minimum=minimum)
    if parsed != int(parsed):
        raise ImproperlyConfigured(f"{name} is {parsed:g}; expected a whole number.")
    return int(parsed)


def choice(name: str, choices: tuple[str, ...], *, default: str) -> str:
    """Return the variable `name`, which is one of `choices`."""
    value = text(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name} is {value!r}; expected one of {', '.join(choices)}.")
    return value


def words(name: str, *, default: str = "") -> list[str]:
    """Return the variable `name`, a comma-separated list, as its parts."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def secret(name: str, *, file: Path) -> str:
    """Return the variable `name`, else the content of `file`, which is made on first use.

    Every installation gets a key of its own, readable by its owner alone: a key that
    ships with a product signs sessions on everybody's machine (CVE-2020-17526).
    """
    value = text(name)
    if value:
        return value
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=file.parent) as draft:
            draft.write(secrets.token_urlsafe(50))
            draft.flush()
            # A link appears with its whole content or not at all, and the first of two processes wins.
            with contextlib.suppress(FileExistsError):
                os.link(draft.name, file)
    return file.read_text().strip()
