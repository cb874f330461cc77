"""The filters and orders of MLflow's clients, as trees of `nodes`. Pure: knows no rows.

A filter is comparisons joined by AND: `metrics.loss < 0.2 and params.optimizer = 'adam'`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from runs.search import nodes
from runs.search.grammar import QuerySyntaxError
from runs.search.nodes import Node, Operator, Span, Term, Value

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>'[^']*'|"[^"]*")
      | (?P<operator>!=|>=|<=|=|>|<)
      | (?P<sign>[(),])
      | (?P<word>(?:`[^`]*`|"[^"]*"|[^\s=<>!,()'"`])+)
      | (?P<wrong>.)
    )""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_ENTITIES = {
    **dict.fromkeys(("metric", "metrics"), "metric"),
    **dict.fromkeys(("param", "params", "parameter", "parameters"), "parameter"),
    **dict.fromkeys(("tag", "tags"), "tag"),
    **dict.fromkeys(("attribute", "attributes", "attr", "run"), "attribute"),
    **dict.fromkeys(("dataset", "datasets"), "dataset"),
}
_NUMERIC = ("=", "!=", ">", ">=", "<", "<=")
_TEXTUAL = ("=", "!=", "LIKE", "ILIKE")
_NULLABLE = ("IS NULL", "IS NOT NULL")
_LISTED = ("IN", "NOT IN")
_LONGEST = 20_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ATTRIBUTES = {
    **{name: name for name in ("run_id", "run_name", "user_id", "status", "artifact_uri", "start_time", "end_time")},
    **{"run name": "run_name", "name": "run_name", "created": "start_time", "run_uuid": "run_id"},
}
_OPERATORS = {
    "=": Operator.IS,
    "!=": Operator.IS_NOT,
    "LIKE": Operator.LIKE,
    "ILIKE": Operator.ILIKE,
    ">": Operator.MORE,
    ">=": Operator.AT_LEAST,
    "<": Operator.LESS,
    "<=": Operator.AT_MOST,
}


@dataclass(frozen=True)
class Comparison:
    """One comparison. `values` are texts, or a number as it is written (`is_number`); none for IS NULL."""

    entity: str
    key: str
    operator: str
    values: tuple[str, ...]
    is_number: bool
    span: Span


@dataclass(frozen=True)
class Order:
    """By what results are ordered."""

    entity: str
    key: str
    is_falling: bool


def parse(text: str, *, statuses: Mapping[str, list[str]]) -> Node:
    """Return the tree of a filter of runs; `statuses` says what MLflow's are called here. Raises QuerySyntaxError."""
    return nodes.all_of([_term(comparison, statuses) for comparison in comparisons(text)])


def comparisons(text: str, *, bare: str = "attribute") -> list[Comparison]:
    """Return the comparisons of a filter; a key without an entity is of `bare`. Raises QuerySyntaxError."""
    if len(text) > _LONGEST:
        raise QuerySyntaxError(f"a filter has at most {_LONGEST} characters", span=Span(0, 1))
    tokens = _Tokens(text)
    found = []
    while not tokens.is_over:
        found.append(_comparison(tokens, bare))
        if not tokens.is_over and not tokens.word("AND"):
            raise tokens.error("Invalid clause(s) in filter string", ["AND"])
        if tokens.is_over and tokens.ended_by_and:
            raise tokens.error("Invalid clause(s) in filter string", ["a comparison"])
    return found


def parse_order(text: str, *, bare: str = "attribute") -> Order:
    """Return what `metrics.acc DESC` and the like mean. Raises QuerySyntaxError."""
    match = re.fullmatch(r"\s*(.+?)(?:\s+(asc|desc))?\s*", text, re.IGNORECASE | re.DOTALL)
    if match is None:
        raise QuerySyntaxError(
            f"Invalid order_by clause '{text[:200]}'", span=Span(0, 1), expected=["metrics.acc DESC"]
        )
    entity, key = _identifier(match[1], Span(0, len(text)), bare)
    return Order(entity, key, (match[2] or "").lower() == "desc")


def attribute(key: str) -> str:
    """Return the attribute of a run that `key` means, under its proper name; empty if it is none."""
    return _ATTRIBUTES.get(key.lower(), "")


def instant(value: str, span: Span) -> str:
    """Return the ISO 8601 of a time in milliseconds. Raises QuerySyntaxError."""
    try:
        at = _EPOCH + timedelta(milliseconds=int(float(value)))
    except (OverflowError, ValueError):
        raise QuerySyntaxError(f"'{value}' is no time in milliseconds", span=span) from None
    return at.isoformat(timespec="milliseconds")


class _Tokens:
    """The tokens of a filter, read from left to right."""

    def __init__(self, text: str) -> None:
        self._found = list(_TOKEN.finditer(text.rstrip()))
        self._place = 0
        self.ended_by_and = False

    @property
    def is_over(self) -> bool:
        return self._place >= len(self._found)

    @property
    def span(self) -> Span:
        match = self._found[min(self._place, len(self._found) - 1)]
        start = match.start(match.lastgroup or 0)
        return Span(start, match.end() - start)

    def take(self, *kinds: str) -> str | None:
        """Return the next token if it is of one of `kinds`."""
        if self.is_over or self._found[self._place].lastgroup not in kinds:
            return None
        match = self._found[self._place]
        self._place += 1
        self.ended_by_and = False
        return match[match.lastgroup or 0]

    def word(self, *words: str) -> bool:
        """Take the next tokens if they are these words, whatever their case."""
        if self._place + len(words) > len(self._found):
            return False
        for offset, word in enumerate(words):
            if (self._found[self._place + offset]["word"] or "").upper() != word:
                return False
        self._place += len(words)
        self.ended_by_and = words == ("AND",)
        return True

    def sign(self, sign: str) -> bool:
        if self.is_over or self._found[self._place]["sign"] != sign:
            return False
        self._place += 1
        return True

    def error(self, message: str, expected: list[str]) -> QuerySyntaxError:
        return QuerySyntaxError(message, span=self.span, expected=expected)


def _comparison(tokens: _Tokens, bare: str) -> Comparison:
    span = tokens.span
    name = tokens.take("word", "string")
    if name is None:
        raise tokens.error("Invalid clause(s) in filter string", ["such as metrics.loss < 0.2"])
    entity, key = _identifier(name, span, bare)
    operator = _operator(tokens)
    if operator in _NULLABLE:
        return Comparison(entity, key, operator, (), False, span)
    if operator in _LISTED:
        return Comparison(entity, key, operator, tuple(_listed(tokens)), False, span)
    value = tokens.take("string", "word")
    if value is None:
        raise tokens.error("Invalid clause(s) in filter string", ["a value"])
    is_number = _NUMBER.fullmatch(value) is not None
    if not is_number and value[0] not in "'\"":
        raise QuerySyntaxError(
            f"Expected a quoted string value or a number for {entity} '{key}', got {value[:100]}", span=span
        )
    return Comparison(entity, key, operator, (value if is_number else value[1:-1],), is_number, span)


def _operator(tokens: _Tokens) -> str:
    sign = tokens.take("operator")
    if sign is not None:
        return sign
    for words in (("IS", "NOT", "NULL"), ("IS", "NULL"), ("NOT", "IN"), ("IN",), ("LIKE",), ("ILIKE",)):
        if tokens.word(*words):
            return " ".join(words)
    raise tokens.error("Invalid comparator", [*_NUMERIC, *_TEXTUAL[2:], *_LISTED, *_NULLABLE])


def _listed(tokens: _Tokens) -> list[str]:
    found = []
    is_list = tokens.sign("(")
    while is_list:
        value = tokens.take("string")
        if value is None:
            break
        found.append(value[1:-1])
        if tokens.sign(")"):
            return found
        if not tokens.sign(","):
            break
    raise tokens.error("Invalid list in filter string", ["('a', 'b')"])


def _identifier(text: str, span: Span, bare: str) -> tuple[str, str]:
    """Return the entity and the key of `metrics.loss`, where the key may be in quotation marks."""
    name, dot, key = text.partition(".")
    if not dot or text[0] in "`\"'":
        name, key = "", text
        entity = bare
    else:
        entity = _ENTITIES.get(name.strip().lower(), "")
        if not entity:
            raise QuerySyntaxError(
                f"Invalid entity type '{name}'. Valid values are ['metric', 'parameter', 'tag', 'attribute',"
                " 'dataset']",
                span=span,
            )
    key = key.strip()
    if len(key) > 1 and key[0] == key[-1] and key[0] in "`\"'":
        key = key[1:-1]
    if not key or "`" in key:
        raise QuerySyntaxError(f"Invalid identifier '{text[:200]}'", span=span)
    return entity, key


# --- From comparisons to the tree -------------------------------------------------------


def _term(comparison: Comparison, statuses: Mapping[str, list[str]]) -> Node:
    match comparison.entity:
        case "metric":
            _check(comparison, *_NUMERIC)
            if not comparison.is_number:
                raise QuerySyntaxError(
                    f"Expected numeric value type for metric. Found {comparison.values[0][:100]!r}",
                    span=comparison.span,
                )
            operator = {"=": Operator.EQUAL, "!=": Operator.NOT_EQUAL}.get(comparison.operator)
            return _simple("metrics", comparison, operator or _OPERATORS[comparison.operator])
        case "parameter":
            return _key_value("params", comparison)
        case "tag":
            return _tag(comparison)
        case "dataset":
            return _dataset(comparison)
        case _:
            return _attribute(comparison, statuses)


def _check(comparison: Comparison, *operators: str) -> None:
    if comparison.operator not in operators:
        raise QuerySyntaxError(
            f"Invalid comparator '{comparison.operator}' not one of {list(operators)}", span=comparison.span
        )
    if comparison.is_number and operators[:2] == _TEXTUAL[:2] and operators[2] == "LIKE":
        raise QuerySyntaxError(
            f"Expected a quoted string value for {comparison.entity} '{comparison.key}'", span=comparison.span
        )


def _simple(name: str, comparison: Comparison, operator: Operator) -> Term:
    values = tuple(Value(text, span=comparison.span) for text in comparison.values)
    path = (name, comparison.key) if comparison.entity != "attribute" else (name,)
    return Term(path, operator, values, comparison.span)


def _key_value(name: str, comparison: Comparison) -> Node:
    if comparison.operator in _NULLABLE:
        has = Term(("has",), Operator.MATCHES, (Value(f"{name}.{comparison.key}"),), comparison.span)
        return nodes.negation(has) if comparison.operator == "IS NULL" else has
    _check(comparison, *_TEXTUAL)
    return _simple(name, comparison, _OPERATORS[comparison.operator])


def _tag(comparison: Comparison) -> Node:
    """A few of MLflow's own tags are columns here."""
    column = {"mlflow.runName": "name", "mlflow.note.content": "description"}.get(comparison.key)
    if column and comparison.operator not in _NULLABLE:
        return _column(column, comparison)
    kept = _key_value("tags", comparison)
    if comparison.key != "mlflow.parentRunId":
        return kept
    none = Term(("parent",), Operator.EQUAL, (Value("none"),), comparison.span)
    match comparison.operator:
        case "IS NULL":
            return nodes.all_of([none, kept])
        case "IS NOT NULL":
            return nodes.any_of([nodes.negation(none), kept])
        case "=":
            return nodes.any_of([_simple_column("parent", comparison, Operator.EQUAL), kept])
        case "!=":
            other = _simple_column("parent", comparison, Operator.NOT_EQUAL)
            return nodes.any_of([nodes.all_of([nodes.negation(none), other]), kept])
    raise QuerySyntaxError("mlflow.parentRunId is compared by =, != or IS NULL", span=comparison.span)


def _dataset(comparison: Comparison) -> Node:
    if comparison.key not in ("name", "digest", "context"):
        raise QuerySyntaxError(
            f"Invalid dataset key '{comparison.key}'. Valid keys are ['name', 'digest', 'context']",
            span=comparison.span,
        )
    if comparison.operator in _LISTED:
        operator = Operator.IS if comparison.operator == "IN" else Operator.IS_NOT
        return _simple("dataset", comparison, operator)
    _check(comparison, *_TEXTUAL)
    return _simple("dataset", comparison, _OPERATORS[comparison.operator])


def _attribute(comparison: Comparison, statuses: Mapping[str, list[str]]) -> Node:
    name = _ATTRIBUTES.get(comparison.key.lower())
    if name is None:
        raise QuerySyntaxError(
            f"Invalid attribute key '{comparison.key}' specified. Valid keys are '{sorted(set(_ATTRIBUTES.values()))}'",
            span=comparison.span,
        )
    return _BY_ATTRIBUTE[name](comparison, statuses)


def _column(name: str, comparison: Comparison) -> Node:
    _check(comparison, *_TEXTUAL)
    return _simple_column(name, comparison, _OPERATORS[comparison.operator])


def _simple_column(name: str, comparison: Comparison, operator: Operator) -> Term:
    return Term((name,), operator, tuple(Value(text) for text in comparison.values), comparison.span)


def _run_id(comparison: Comparison, _: Any) -> Node:
    if comparison.operator in _LISTED:
        listed = _simple_column("id", comparison, Operator.EQUAL)
        return listed if comparison.operator == "IN" else nodes.negation(listed)
    return _column("id", comparison)


def _artifact_uri(comparison: Comparison, _: Any) -> Node:
    _check(comparison, *_TEXTUAL)
    match = re.fullmatch(r"mlflow-artifacts:/[^/]+/([^/]+)/artifacts", comparison.values[0])
    if comparison.operator not in ("=", "!="):
        raise QuerySyntaxError("artifact_uri is compared by = or !=", span=comparison.span)
    term = Term(("id",), Operator.EQUAL, (Value(match[1] if match else ""),), comparison.span)
    return term if comparison.operator == "=" else nodes.negation(term)


def _user_id(comparison: Comparison, _: Any) -> Node:
    """The user is what the client said or, where it said nothing, who sent it."""
    _check(comparison, *_TEXTUAL)
    operator, values = _OPERATORS[comparison.operator], tuple(map(Value, comparison.values))
    said = Term(("tags", "mlflow.user"), operator, values, comparison.span)
    has = Term(("has",), Operator.MATCHES, (Value("tags.mlflow.user"),), comparison.span)
    sent = Term(("submitter",), operator, values, comparison.span)
    return nodes.any_of([said, nodes.all_of([nodes.negation(has), sent])])


def _status(comparison: Comparison, statuses: Mapping[str, list[str]]) -> Node:
    _check(comparison, *_TEXTUAL)
    wanted = comparison.values[0]
    tests: dict[str, Callable[[str], bool]] = {
        "=": lambda status: status == wanted,
        "!=": lambda status: status != wanted,
        "LIKE": lambda status: like(wanted).fullmatch(status) is not None,
        "ILIKE": lambda status: like(wanted.upper()).fullmatch(status) is not None,
    }
    meant = tuple(Value(ours) for theirs in statuses if tests[comparison.operator](theirs) for ours in statuses[theirs])
    if not meant:
        return Term(("id",), Operator.EQUAL, (Value(""),), comparison.span)  # no run has it
    return Term(("status",), Operator.EQUAL, meant, comparison.span)


def like(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a LIKE pattern, in which `%` is any text and `_` any character."""
    signs = {"%": ".*", "_": "."}
    return re.compile("".join(signs.get(sign) or re.escape(sign) for sign in pattern), re.DOTALL)


def _time(name: str) -> Callable[[Comparison, Any], Node]:
    def term(comparison: Comparison, _: Any) -> Node:
        _check(comparison, *_NUMERIC)
        operator = {"=": Operator.EQUAL, "!=": Operator.NOT_EQUAL}.get(comparison.operator)
        value = Value(instant(comparison.values[0], comparison.span), span=comparison.span)
        return Term((name,), operator or _OPERATORS[comparison.operator], (value,), comparison.span)

    return term


_BY_ATTRIBUTE: dict[str, Callable[[Comparison, Mapping[str, list[str]]], Node]] = {
    "run_id": _run_id,
    "run_name": lambda comparison, _: _column("name", comparison),
    "user_id": _user_id,
    "status": _status,
    "artifact_uri": _artifact_uri,
    "start_time": _time("started"),
    "end_time": _time("ended"),
}
