"""The link that lets somebody in once, as `up` and `sign_in_link` print it."""

from django.contrib.auth.models import User
from django.utils import timezone

from runs.actions import tokens
from runs.errors import NotFound

# As `reverse` has it, which would load every page into the process that only starts others (30 MiB, half a second).
_PATH = "/sign-in/"


def make_link(*, user: User, address: str) -> str:
    """Return a link at `address` that signs `user` in once, within a day."""
    secret = tokens.create_sign_in_link(user=user, at=timezone.now())
    return f"{address}{_PATH}{secret}/"


def first_administrator() -> User | None:
    """Return the oldest active superuser, whom links are for unless somebody is named."""
    return User.objects.filter(is_active=True, is_superuser=True).order_by("id").first()


def get_user(name: str) -> User:
    """Return the active user `name`, or raise NotFound with the names that there are."""
    user = User.objects.filter(username=name, is_active=True).first()
    if user is None:
        known = User.objects.filter(is_active=True).order_by("username").values_list("username", flat=True)[:10]
        raise NotFound(f"There is no active user {name!r}; there are: {', '.join(known) or 'none yet'}.", field="user")
    return user
