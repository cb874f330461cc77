"""Slow down guessing of passwords: each failure beyond the first few doubles the wait.

The counts are rows and not a cache: they hold for all web processes, outlive a restart,
and need no broker. One row is written per failure, which a wait keeps rare.
"""

import hashlib
from datetime import datetime, timedelta

from django.db.models import Q

from runs.errors import RunsError
from runs.models import SignInFailure
from runs.wording import say

# Free tries: of one name from one address, and of all names from one address (an office has many people).
_FREE_BY_NAME = 5
_FREE_BY_ADDRESS = 50
_LONGEST_WAIT = timedelta(minutes=15)
_FORGOTTEN_AFTER = timedelta(hours=24)


class TooManyAttempts(RunsError):
    """Too many failed sign-ins: wait before you try again."""

    code = "too_many_attempts"

    def __init__(self, wait: timedelta) -> None:
        self.wait_seconds = max(1, int(wait.total_seconds() + 0.999))
        super().__init__(
            say("Too many failed sign-ins. Try again in {wait_seconds} seconds.", wait_seconds=self.wait_seconds)
        )


def count_attempt(*, username: str, address: str, at: datetime) -> None:
    """Count a try as failed before the password is looked at, so that many at once gain nothing.

    `forget` takes it back when the password was right. Raises TooManyAttempts, without
    counting, while the wait of earlier failures lasts.
    """
    for key, free in _keys(username, address):
        _count(key, free, at)


def forget(*, username: str, address: str) -> None:
    """Forget the failures of a name that has just signed in; those of the address fade by themselves."""
    (by_name, _free), (by_address, _many) = _keys(username, address)
    SignInFailure.objects.filter(key=by_name).delete()
    held = SignInFailure.objects.filter(key=by_address).first()
    if held is not None:
        SignInFailure.objects.filter(pk=held.pk, count__gt=0).update(count=held.count - 1, blocked_until=held.latest_at)


def _count(key: str, free: int, at: datetime) -> None:
    SignInFailure.objects.filter(latest_at__lt=at - _FORGOTTEN_AFTER).delete()
    held, _is_new = SignInFailure.objects.get_or_create(key=key, defaults={"latest_at": at, "blocked_until": at})
    if held.blocked_until > at:
        raise TooManyAttempts(held.blocked_until - at)
    count = held.count + 1
    # 1, 2, 4 ... seconds once the free tries are used up.
    wait = min(timedelta(seconds=2 ** min(count - free, 20)), _LONGEST_WAIT) if count >= free else timedelta()
    won = SignInFailure.objects.filter(Q(blocked_until__lte=at), pk=held.pk, count=held.count).update(
        count=count, latest_at=at, blocked_until=at + wait
    )
    if not won:  # another try of the same name at the same moment
        raise TooManyAttempts(timedelta(seconds=1))


def _keys(username: str, address: str) -> list[tuple[str, int]]:
    return [
        (_digest("name", username.casefold(), address), _FREE_BY_NAME),
        (_digest("address", address), _FREE_BY_ADDRESS),
    ]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()
