"""Who signs in."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User


class Accounts(ModelBackend):
    """Django's own users, each read together with the preferences that every page asks for."""

    def get_user(self, user_id: Any) -> User | None:
        """Return the user of a session, if they may still be here."""
        user = User.objects.select_related("preferences").filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None
