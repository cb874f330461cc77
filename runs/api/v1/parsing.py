"""Read JSON bodies, and refuse the texts that no database can hold."""

import json
from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser

# Escapes of characters that are no text: only a body that has one is looked through.
_SUSPECT = (b"\\u0000", b"\\ud", b"\\uD")


class JsonParser(Parser):
    """Ninja's parser, strict about texts. What it raises becomes `bad_json`."""

    def parse_body(self, request: HttpRequest) -> Any:
        """Return the JSON of the body. Raises ValueError."""
        try:
            parsed = json.loads(request.body)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if any(escape in request.body for escape in _SUSPECT):
            _check(parsed)
        return parsed


def _check(value: Any) -> None:
    """Raise ValueError (UnicodeEncodeError is one) for a NUL or half a surrogate pair, at any depth."""
    if isinstance(value, str):
        value.encode()
        if "\x00" in value:
            raise ValueError("a NUL character")
    elif isinstance(value, list):
        for item in value:
            _check(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            _check(name)
            _check(item)
