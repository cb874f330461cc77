"""The fields of the search: the table from which the compiler, docs and completion take them."""

from runs.search import keyed_fields, ordering, own_fields
from runs.search.terms import Field, Scope, nearest

__all__ = ["FIELDS", "Field", "Scope", "nearest"]

FIELDS: dict[str, Field] = {**own_fields.FIELDS, **keyed_fields.FIELDS, **ordering.FIELDS}
