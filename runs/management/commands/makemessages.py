"""Collect what is to be translated: also the sentences of the domain, and what its refusals say by default."""

from importlib import import_module
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.core.management.commands import makemessages

from runs.errors import RunsError

_NOT_FOR_PAGES = ("runs/execution", "sdk", "tests", "bench", "docs", "examples", "var", ".venv*")


class Command(makemessages.Command):
    """Django's own makemessages for runs/locale, taught about `wording.say` and the docstrings of refusals."""

    xgettext_options = [*makemessages.Command.xgettext_options, "--keyword=say"]
    msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching"]

    def add_arguments(self, parser: CommandParser) -> None:
        """Know the languages, and the rooms whose texts are not for pages."""
        super().add_arguments(parser)
        parser.set_defaults(
            locale=[code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE],
            ignore_patterns=[f"{folder}/*" for folder in _NOT_FOR_PAGES],
            add_location="file",  # line numbers would change with every commit
            no_obsolete=True,
        )

    def build_potfiles(self) -> list[str]:
        """Add the docstrings by which refusals speak to what Django collects."""
        potfiles: list[str] = super().build_potfiles()
        collected = Path(potfiles[0])
        text = collected.read_text()
        for default in sorted(default_messages()):
            escaped = default.replace("\\", "\\\\").replace('"', '\\"')
            text += f'\n#: runs/errors.py\nmsgid "{escaped}"\nmsgstr ""\n'
        collected.write_text(text)
        return potfiles


def default_messages() -> set[str]:
    """Return what refusals say that are raised without words of their own."""
    import_module(settings.ROOT_URLCONF)  # and with it every room that speaks to people
    found: set[str] = set()
    kinds: list[Any] = [RunsError]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if kind.__module__.startswith("runs.") and not kind.__module__.startswith("runs.execution"):
            found.add(kind.__doc__.strip().splitlines()[0])
    return found
