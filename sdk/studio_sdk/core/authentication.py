"""Ways to sign in. Azure's are accepted and lead to the one login there is here."""

from __future__ import annotations

from typing import Any, Optional

from studio_sdk import connection
from studio_sdk.transport import Client


class AbstractAuthentication:
    """The login that `studio login` stored, the environment gives, or this machine's own server."""

    _token: Optional[str] = None
    _url: Optional[str] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def _client(self, url: Optional[str] = None) -> Client:
        return connection.connect(self._url or url, token=self._token)

    def get_authentication_header(self) -> dict[str, str]:
        """Return the header that the server wants.

        >>> InteractiveLoginAuthentication().get_authentication_header()
        """
        return {"Authorization": f"Bearer {self._token or connection.find_login(self._url).token}"}


class TokenAuthentication(AbstractAuthentication):
    """A token, given here: of `manage.py create_token`, or from the page API tokens.

    >>> Workspace.get("default", auth=TokenAuthentication("...", url="http://127.0.0.1:8000"))
    """

    def __init__(self, token: str, url: Optional[str] = None, **kwargs: Any) -> None:
        super().__init__()
        self._token = token
        self._url = url or connection.DEFAULT_URL


class InteractiveLoginAuthentication(AbstractAuthentication):
    """The stored login; the tenant is ignored."""


class AzureCliAuthentication(AbstractAuthentication):
    """The stored login."""


class ServicePrincipalAuthentication(AbstractAuthentication):
    """The stored login; tenant, principal and password are ignored."""


class MsiAuthentication(AbstractAuthentication):
    """The stored login."""
