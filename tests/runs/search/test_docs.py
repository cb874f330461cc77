"""The documentation lists the fields that there are."""

from pathlib import Path

from django.conf import settings

from runs.search.fields import FIELDS


def table():
    rows = [f"| `{name}` | {field.summary} | `{field.example}` |" for name, field in FIELDS.items()]
    return "\n".join(["| field | what it is | example |", "| --- | --- | --- |", *rows])


def test_the_table_of_fields_is_that_of_the_code():
    assert table() in (Path(settings.BASE_DIR) / "docs" / "search.md").read_text()
