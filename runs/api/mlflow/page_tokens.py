"""Page tokens: where the next page of a search begins."""

import json
from typing import Any

from runs.api.mlflow import errors
from runs.search import signed


def write(place: Any, *, of: list[str]) -> str:
    """Return the token of a place in the search that is `of` these words."""
    return signed.write(place, salt=_salt(of))


def read(token: str, *, of: list[str]) -> Any:
    """Return the place; None for the start. Raises the error for a token that was not given out for this search."""
    if not token:
        return None
    try:
        return signed.read(token, salt=_salt(of))
    except ValueError:
        raise errors.invalid("Invalid page token, it is none of this search and its `order_by`") from None


def _salt(words: list[str]) -> str:
    return f"{__name__} {json.dumps(words)}"
