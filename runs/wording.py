"""Sentences that the domain says, kept so that a page can say them in its reader's language. Pure.

API, command line and logs take a sentence as the English text that it is; pages ask
`translation.translated` for theirs. So whoever refuses needs not know who will read it.
"""

from collections.abc import Iterable
from typing import Any


class Sentence(str):
    """An English text that remembers the template and the values of which it was made."""

    __slots__ = ("template", "values")

    template: str
    values: dict[str, Any]

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


def say(template: str, /, **values: Any) -> Sentence:
    """Return `template` with its values, in the syntax of `str.format`. makemessages collects the templates.

    A value may be a sentence itself.
    """
    sentence = Sentence(template.format(**values))
    sentence.template, sentence.values = template, values
    return sentence


def chain(parts: Iterable[str], between: str = " ") -> Sentence:
    """Return several sentences as one, each of which is translated by itself."""
    values = {f"part_{place}": part for place, part in enumerate(parts)}
    return say(between.join(f"{{{name}}}" for name in values), **values)
