"""What every field needs to read a term: its operators, its values, and the tests of texts and orders."""

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet
from django.db.models.lookups import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    IsNull,
    LessThan,
    LessThanOrEqual,
)

from runs.models import Run
from runs.search import plan
from runs.search.grammar import QuerySyntaxError
from runs.search.lookups import Like, SqlIlike, SqlLike
from runs.search.nodes import Operator, Range, Span, Term, Value
from runs.search.plan import Condition
from runs.wording import say

TEXT = (Operator.MATCHES, Operator.EQUAL, Operator.NOT_EQUAL)
EXACT = (Operator.IS, Operator.IS_NOT, Operator.LIKE, Operator.ILIKE)
SQL_PATTERNS = {Operator.LIKE: SqlLike.lookup_name, Operator.ILIKE: SqlIlike.lookup_name}
NEGATED = (Operator.NOT_EQUAL, Operator.IS_NOT)


@dataclass(frozen=True)
class Scope:
    """For whom and when a search is made, and in which list of runs."""

    queryset: QuerySet[Run]
    user: Any
    at: datetime

    def few(self, test: Q) -> plan.Few:
        """Return the short way to the runs of this list that meet `test`, for which there is an index."""
        return lambda: plan.at_most_few(self.queryset.filter(test).values_list("pk", flat=True))


@dataclass(frozen=True)
class Field:
    """A field as docs and completion show it. `takes_key` is true of `tags.quality` and the like."""

    summary: str
    example: str
    compile: Callable[[Term, Scope], Condition]
    takes_key: bool = False


def only(term: Term, *operators: Operator) -> None:
    """Raise QuerySyntaxError unless the term compares by one of `operators`."""
    if term.operator not in operators:
        raise QuerySyntaxError(
            say("'{path}' cannot be compared by '{operator}'", path=term.path[0], operator=term.operator),
            span=term.span,
            expected=list(operators),
        )


def plain(term: Term, *, but: str = "") -> list[Value]:
    """Return the values of a term that takes no ranges, and no patterns either if `but` says what it takes."""
    for value in term.values:
        if isinstance(value, Range):
            raise QuerySyntaxError(
                say("'{path}' takes no range: put dots in quotation marks", path=term.path[0]),
                span=value.span,
                expected=[say("a value")],
            )
        if but and value.is_pattern:
            raise QuerySyntaxError(say("'{path}' takes no '*'", path=term.path[0]), span=value.span, expected=[but])
    return [value for value in term.values if isinstance(value, Value)]


def nearest(word: str, names: Iterable[str]) -> str:
    """Return the name that looks most like `word`, or nothing."""
    return next(iter(difflib.get_close_matches(word.lower(), list(names), n=1, cutoff=0.6)), "")


def choice(value: Value, names: dict[str, Any], *, what: str) -> Any:
    """Return what the word `value` stands for in `names`, or raise with the nearest."""
    found = names.get(value.text.lower())
    if found is None:
        suggestion = nearest(value.text, names)
        raise QuerySyntaxError(
            say("unknown {what} '{value}'", what=what, value=value.text),
            span=value.span,
            suggestion=suggestion,
            expected=sorted(names),
        )
    return found


def text_is(column: str, value: Value, operator: Operator) -> Q:
    """Return the test that the text in `column` is `value`."""
    if operator in SQL_PATTERNS:
        return Q(**{f"{column}__{SQL_PATTERNS[operator]}": value.text})
    if operator is not Operator.MATCHES:
        return Q(**{column: value.text})
    return Q(**{f"{column}__{Like.lookup_name}" if value.is_pattern else f"{column}__iexact": value.text})


def text_test(column: str, term: Term) -> Q:
    """Return the test that the text in `column` is one of the term's values."""
    test = Q()
    for value in plain(term):
        test |= text_is(column, value, term.operator)
    return test


def unless(condition: Condition, operator: Operator) -> Condition:
    """Return `condition`, or its opposite where the operator says so."""
    return plan.negation(condition) if operator in NEGATED else condition


Read = Callable[[str, Span], tuple[Any, Any]]
Left = F | plan.Unindexed


def point(read: Callable[[str, Span], Any]) -> Read:
    """Return a reader for values that are a single point."""

    def read_twice(text: str, span: Span) -> tuple[Any, Any]:
        value = read(text, span)
        return value, value

    return read_twice


def order_test(column: Left, term: Term, read: Read) -> Q:
    """Return the test that `column` compares as `term` says. `read` gives a value's first point and the one after."""
    test = Q()
    for value in term.values:
        if isinstance(value, Range):
            part = Q()
            if value.low:
                part &= _compare(column, Operator.AT_LEAST, *read(value.low, value.span))
            if value.high:
                part &= _compare(column, Operator.AT_MOST, *read(value.high, value.span))
            test |= part
        else:
            test |= _compare(column, term.operator, *read(value.text, value.span))
    # Said aloud, so that the opposite holds where there is no value.
    return test & Q(IsNull(column, False))


def _compare(column: Left, operator: Operator, first: Any, after: Any) -> Q:
    is_point = first == after
    match operator:
        case Operator.LESS:
            return Q(LessThan(column, first))
        case Operator.AT_MOST:
            return Q(LessThanOrEqual(column, after) if is_point else LessThan(column, after))
        case Operator.MORE:
            return Q(GreaterThan(column, first) if is_point else GreaterThanOrEqual(column, after))
        case Operator.AT_LEAST:
            return Q(GreaterThanOrEqual(column, first))
        case Operator.MATCHES | Operator.EQUAL:
            if is_point:
                return Q(Exact(column, first))
            return Q(GreaterThanOrEqual(column, first), LessThan(column, after))
        case Operator.NOT_EQUAL:
            return ~_compare(column, Operator.EQUAL, first, after)
    raise AssertionError(f"{operator} compares texts")


def longest_part(value: Value, operator: Operator = Operator.MATCHES) -> str:
    """Return the longest text that whatever looks like `value` must hold."""
    if operator in SQL_PATTERNS:
        return max(re.split("[%_]", value.text), key=len)
    return max(value.text.split("*"), key=len) if value.is_pattern else value.text
