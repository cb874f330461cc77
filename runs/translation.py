"""What the domain says, in the reader's language: the way from a sentence to a page."""

import string
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext

from runs.wording import Sentence


def translated(text: str) -> str:
    """Return a sentence of the domain in the active language; any other text as it is: it may be a user's own."""
    if not isinstance(text, Sentence) or not text:
        return text
    return _FORMATTER.vformat(gettext(text.template), (), text.values)


class _Formatter(string.Formatter):
    """As `str.format`, but for sentences in sentences, and for thousands as the language parts them."""

    def get_value(self, key: int | str, args: Any, kwargs: Any) -> Any:
        value = super().get_value(key, args, kwargs)
        return translated(value) if isinstance(value, Sentence) else value

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec == ",":
            return number_format(value, use_l10n=True, force_grouping=True)
        return str(super().format_field(value, format_spec))


_FORMATTER = _Formatter()
