"""How texts are compared with patterns, in the words of either database."""

import re
from typing import Any

from django.db.models import CharField, TextField
from django.db.models.lookups import Lookup


class Like(Lookup):
    """Whether a text looks like a pattern of the user's, in which `*` is any text, whatever its case."""

    lookup_name = "looks_like"
    prepare_rhs = False

    def get_prep_lookup(self) -> str:
        """Return the pattern in the database's own signs."""
        escaped = re.sub(r"([\\%_])", r"\\\1", str(self.rhs))
        return re.sub(r"\*+", "%", escaped)

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Write it with the operator that ignores case."""
        text, text_params = self.process_lhs(compiler, connection)
        pattern, pattern_params = self.process_rhs(compiler, connection)
        operator = "ILIKE" if connection.vendor == "postgresql" else "LIKE"
        return f"{text} {operator} {pattern} ESCAPE '\\'", [*text_params, *pattern_params]


class SqlLike(Lookup):
    """Whether a text looks like a pattern of SQL's, in which `%` is any text and `_` any character, as they are cased.

    No sign takes another's meaning away: there is no escape character.
    """

    lookup_name = "sql_like"
    prepare_rhs = False
    minds_case = True

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Write it as LIKE."""
        text, text_params = self.process_lhs(compiler, connection)
        operator = "LIKE" if self.minds_case else "ILIKE"
        return f"{text} {operator} %s ESCAPE ''", [*text_params, str(self.rhs)]

    def as_sqlite(self, compiler: Any, connection: Any) -> Any:
        """Write it as GLOB where case matters, since SQLite's LIKE does not mind it."""
        text, text_params = self.process_lhs(compiler, connection)
        if not self.minds_case:
            return f"{text} LIKE %s", [*text_params, str(self.rhs)]
        signs = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
        return f"{text} GLOB %s", [*text_params, "".join(signs.get(sign, sign) for sign in str(self.rhs))]


class SqlIlike(SqlLike):
    """The same, whatever the case."""

    lookup_name = "sql_ilike"
    minds_case = False


for kind in (CharField, TextField):
    kind.register_lookup(SqlLike)
    kind.register_lookup(SqlIlike)
CharField.register_lookup(Like)
TextField.register_lookup(Like)
