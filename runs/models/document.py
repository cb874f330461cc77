"""A field for documents whose keys have an order, such as the steps of a pipeline."""

import json
from typing import Any

from django.db import models


class DocumentField(models.TextField):
    """A JSON document, kept as text: PostgreSQL's `jsonb` would sort its keys. Nothing is looked up inside."""

    _pyi_private_set_type: Any
    _pyi_private_get_type: Any

    def from_db_value(self, value: str | None, expression: object, connection: object) -> Any:
        """Return the document."""
        return None if value is None else json.loads(value)

    def get_prep_value(self, value: Any) -> str | None:
        """Return the text that is stored."""
        return None if value is None else json.dumps(value, ensure_ascii=False)

    def value_to_string(self, obj: models.Model) -> Any:
        """Return what fixtures hold."""
        return self.get_prep_value(self.value_from_object(obj)) or ""

    def to_python(self, value: Any) -> Any:
        """Return the document that a form or fixture gives."""
        return json.loads(value) if isinstance(value, str) and value else value
