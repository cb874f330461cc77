"""The fields of the search: one function for each, and the table from which docs and completion list them."""

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import CharField, F, Max, Model, OuterRef, Q, QuerySet, TextField
from django.db.models import Value as Literal
from django.db.models.lookups import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    IsNull,
    LessThan,
    LessThanOrEqual,
    Lookup,
)
from django.utils import timezone

from runs.models import ComputeTarget, DatasetUse, Experiment, Favorite, Metric, Param, Property, Run, RunType, Tag
from runs.models.tag import ValueHead
from runs.search import index, plan, values
from runs.search.grammar import QuerySyntaxError
from runs.search.nodes import Operator, Range, Span, Term, Value
from runs.search.plan import Condition
from runs.status import ACTIVE, TERMINAL, RunStatus
from runs.wording import say


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


# --- Reading terms ----------------------------------------------------------------------


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


def _only(term: Term, *operators: Operator) -> None:
    if term.operator not in operators:
        raise QuerySyntaxError(
            say("'{path}' cannot be compared by '{operator}'", path=term.path[0], operator=term.operator),
            span=term.span,
            expected=list(operators),
        )


def _plain(term: Term, *, but: str = "") -> list[Value]:
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


def _choice(value: Value, names: dict[str, Any], *, what: str) -> Any:
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


def _text_is(column: str, value: Value, operator: Operator) -> Q:
    """Return the test that the text in `column` is `value`."""
    if operator in _SQL_PATTERNS:
        return Q(**{f"{column}__{_SQL_PATTERNS[operator]}": value.text})
    if operator is not Operator.MATCHES:
        return Q(**{column: value.text})
    return Q(**{f"{column}__looks_like" if value.is_pattern else f"{column}__iexact": value.text})


def _text_test(column: str, term: Term) -> Q:
    test = Q()
    for value in _plain(term):
        test |= _text_is(column, value, term.operator)
    return test


def _unless(condition: Condition, operator: Operator) -> Condition:
    return plan.negation(condition) if operator in _NEGATED else condition


Read = Callable[[str, Span], tuple[Any, Any]]
Left = F | plan.Unindexed


def _point(read: Callable[[str, Span], Any]) -> Read:
    """Return a reader for values that are a single point."""

    def read_twice(text: str, span: Span) -> tuple[Any, Any]:
        value = read(text, span)
        return value, value

    return read_twice


def _order_test(column: Left, term: Term, read: Read) -> Q:
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


_TEXT = (Operator.MATCHES, Operator.EQUAL, Operator.NOT_EQUAL)
_EXACT = (Operator.IS, Operator.IS_NOT, Operator.LIKE, Operator.ILIKE)
_SQL_PATTERNS = {Operator.LIKE: "sql_like", Operator.ILIKE: "sql_ilike"}
_NEGATED = (Operator.NOT_EQUAL, Operator.IS_NOT)
_LONGEST_LIST = 1_000


# --- One function for each field --------------------------------------------------------


def _status(term: Term, scope: Scope) -> Condition:
    _only(term, *_TEXT)
    names: dict[str, frozenset[RunStatus]] = {status.lower(): frozenset({status}) for status in RunStatus}
    names |= {"active": ACTIVE, "ended": TERMINAL}
    statuses = frozenset[RunStatus]().union(
        *(_choice(value, names, what=say("status")) for value in _plain(term, but=say("a status such as failed")))
    )
    # One query for each status, joined: for a list of them SQLite walks all runs instead of the index.
    first, *others = (scope.queryset.filter(status=status).values_list("pk", flat=True) for status in sorted(statuses))
    found = first.order_by().union(*(other.order_by() for other in others), all=True) if others else first
    test = plan.is_one_of("status", sorted(statuses))
    return _unless(Condition(test, lambda: plan.at_most_few(found)), term.operator)


def _is(term: Term, scope: Scope) -> Condition:
    _only(term, Operator.MATCHES)
    names = {
        "active": Q(status__in=ACTIVE),
        "ended": Q(status__in=TERMINAL),
        "archived": Q(archived_at__isnull=False),
        "child": Q(parent__isnull=False),
        "mine": Q(submitted_by_id=scope.user.pk),
        "favorite": Q(plan.Holds(Favorite.objects.filter(user_id=scope.user.pk, run=OuterRef("pk")))),
    }
    starred = Favorite.objects.filter(user_id=scope.user.pk).values_list("run_id", flat=True)
    short: dict[str, plan.Few] = {"favorite": lambda: plan.at_most_few(starred)}
    return plan.any_of(
        Condition(_choice(value, names, what=say("word after is:")), short.get(value.text.lower(), plan.unknown))
        for value in _plain(term, but=say("a word"))
    )


def _among(term: Term, scope: Scope, column: str, rows: QuerySet[Any]) -> Condition:
    """Return the condition that `column` refers to one of `rows`, or to nothing where the value is `none`."""
    ids = list(rows.values_list("pk", flat=True)[: _LONGEST_LIST + 1])
    if len(ids) > _LONGEST_LIST:
        return _unless(Condition(Q(**{f"{column}__in": rows.values("pk")})), term.operator)
    test = plan.is_one_of(column, ids)
    found = Run.objects.filter(**{f"{column}__in": ids}).values_list("pk", flat=True)
    return _unless(Condition(test, lambda: plan.at_most_few(found)), term.operator)


def _submitter(term: Term, scope: Scope) -> Condition:
    _only(term, *_TEXT, *_EXACT)
    test = Q()
    for value in _plain(term):
        if term.operator in _EXACT:
            test |= _text_is("username", value, term.operator)
            continue
        is_me = value.text.lower() == "me" and scope.user.pk is not None
        test |= Q(pk=scope.user.pk) if is_me else _text_is("username", value, Operator.MATCHES)
    return _among(term, scope, "submitted_by_id", User.objects.filter(test))


def _experiment(term: Term, scope: Scope) -> Condition:
    _only(term, *_TEXT)
    return _among(term, scope, "experiment_id", Experiment.objects.filter(_text_test("name", term)))


def _target(term: Term, scope: Scope) -> Condition:
    _only(term, *_TEXT)
    if any(value.text == "none" for value in _plain(term)):
        return _unless(Condition(Q(compute_target__isnull=True)), term.operator)
    ids = ComputeTarget.objects.filter(_text_test("name", term)).values_list("pk", flat=True)
    return _unless(Condition(plan.is_one_of("compute_target_id", ids, by_index=False)), term.operator)


def _type(term: Term, scope: Scope) -> Condition:
    _only(term, *_TEXT)
    names = {run_type.value: run_type.value for run_type in RunType}
    types = [
        _choice(value, names, what=say("run type")) for value in _plain(term, but=say("a run type such as script"))
    ]
    return _unless(Condition(plan.is_one_of("run_type", types, by_index=False)), term.operator)


def _parent(term: Term, scope: Scope) -> Condition:
    _only(term, *_TEXT)
    run_ids = {value.text for value in _plain(term, but=say("none or a run id"))}
    parents = list(Run.objects.filter(run_id__in=run_ids).values_list("pk", flat=True))
    test = Q(parent_id__in=parents)
    if "none" in run_ids:
        return _unless(Condition(Q(parent__isnull=True) | test), term.operator)
    return _unless(Condition(test, scope.few(test)), term.operator)


def _id(term: Term, scope: Scope) -> Condition:
    _only(term, *_TEXT, *_EXACT)
    if term.operator in _SQL_PATTERNS:
        return Condition(_text_test("run_id", term))
    run_ids = [value.text for value in _plain(term, but=say("a run id"))]
    return _unless(Condition(Q(run_id__in=run_ids)), term.operator)


def _held_text(column: str) -> Callable[[Term, Scope], Condition]:
    """Return the function of a field for which `:` looks for a part of the text in `column`."""

    def compile_held(term: Term, scope: Scope) -> Condition:
        _only(term, *_TEXT, *_EXACT)
        found = []
        for value in _plain(term):
            is_part = term.operator is Operator.MATCHES and not value.is_pattern
            test = Q(**{f"{column}__icontains": value.text}) if is_part else _text_is(column, value, term.operator)
            found.append(Condition(test, index.contains([_longest_part(value, term.operator)]).few))
        return _unless(plan.any_of(found), term.operator)

    return compile_held


def _longest_part(value: Value, operator: Operator = Operator.MATCHES) -> str:
    """Return the longest text that whatever looks like `value` must hold."""
    if operator in _SQL_PATTERNS:
        return max(re.split("[%_]", value.text), key=len)
    return max(value.text.split("*"), key=len) if value.is_pattern else value.text


def _indexed_order(column: str, term: Term, scope: Scope, read: Read) -> Condition:
    """Return the condition on a column that has an index for lists in its order."""
    found = scope.few(_order_test(F(column), term, read))
    return Condition(_order_test(plan.Unindexed(F(column)), term, read), found)


def _number(term: Term, scope: Scope) -> Condition:
    return _indexed_order("number", term, scope, _point(values.whole_number))


def _duration(term: Term, scope: Scope) -> Condition:
    return _indexed_order("duration_seconds", term, scope, _point(values.seconds))


def _read_instants(term: Term, scope: Scope) -> Read:
    at = scope.at.astimezone(timezone.get_current_timezone())

    def read(text: str, span: Span) -> tuple[datetime, datetime]:
        first, after = values.instants(text, span, at=at)
        # `created:7d` is "in the last seven days", up to and with now.
        return (first, at + timedelta(seconds=1)) if first == after and term.operator in _TEXT else (first, after)

    return read


def _created(term: Term, scope: Scope) -> Condition:
    read = _read_instants(term, scope)
    found = Run.objects.filter(_order_test(F("created_at"), term, read)).values_list("pk", flat=True)
    test = _order_test(plan.Unindexed(F("created_at")), term, read)
    return Condition(test, lambda: plan.at_most_few(found), _newest_until(term, read))


def _started(term: Term, scope: Scope) -> Condition:
    read = _read_instants(term, scope)
    return Condition(_order_test(F("started_at"), term, read), newest=_newest_until(term, read))


def _ended(term: Term, scope: Scope) -> Condition:
    read = _read_instants(term, scope)
    condition = _indexed_order("ended_at", term, scope, read)
    return Condition(condition.test, condition.few, _newest_until(term, read))


def _newest_until(term: Term, read: Read) -> plan.Newest:
    """Return the way to the newest run that was created before all instants of `term` are over.

    None could have started or ended before it was created, so it holds for these as well.
    """

    def newest() -> int | None:
        ends = [value.high if isinstance(value, Range) else value.text for value in term.values]
        if term.operator in (Operator.MORE, Operator.AT_LEAST, Operator.NOT_EQUAL) or not all(ends):
            return None
        until = max(read(end, Span())[1] for end in ends)
        later = Run.objects.filter(created_at__gt=until).values_list("pk", flat=True)
        if plan.at_most_few(later) is not None:
            return None
        # An expression, lest a planner walks the runs by their ids in search of an old one.
        return Run.objects.filter(created_at__lte=until).aggregate(newest=Max(F("pk") + 0))["newest"] or 0

    return newest


# --- Fields with a key ------------------------------------------------------------------


def _key_of(term: Term) -> str:
    if not term.key:
        name = term.path[0]
        raise QuerySyntaxError(say("'{name}' needs a key", name=name), span=term.span, expected=[f"{name}.key:value"])
    return term.key


def _held_by(model: type[Model], test: Q) -> Q:
    return Q(plan.Holds(model._default_manager.filter(test, run=OuterRef("pk"))))


def _runs_of(model: type[Model], *tests: Any) -> plan.Few:
    return lambda: plan.at_most_few(model._default_manager.filter(*tests).values_list("run_id", flat=True))


def _keyed_text(model: type[Model], key_column: str, term: Term) -> Condition:
    """Return the condition that `model` has the key with one of the term's texts as its value."""
    key = Q(**{key_column: _key_of(term)})
    if term.operator in _NEGATED:
        return Condition(_held_by(model, key & ~_text_test("value", term) & Q(value__isnull=False)))
    found = []
    for value in _plain(term):
        few = _runs_of(model, key, Exact(ValueHead(F("value")), ValueHead(Literal(value.text))))
        if value.is_pattern or term.operator in _SQL_PATTERNS:
            part = _longest_part(value, term.operator)
            few = index.contains([part]).few if model is Tag and len(part) >= index.TRIGRAM else plan.unknown
        found.append(Condition(_held_by(model, key & _text_is("value", value, term.operator)), few))
    return plan.any_of(found)


def _tags(term: Term, scope: Scope) -> Condition:
    _only(term, *_TEXT, *_EXACT)
    return _keyed_text(Tag, "key", term)


def _properties(term: Term, scope: Scope) -> Condition:
    _only(term, *_TEXT)
    return _keyed_text(Property, "key", term)


def _params(term: Term, scope: Scope) -> Condition:
    is_number = all(isinstance(value, Range) or _is_number(value.text) for value in term.values)
    if term.operator in _EXACT or (term.operator in _TEXT and not is_number):
        return _keyed_text(Param, "name", term)
    test = Q(name=_key_of(term)) & _order_test(F("number"), term, _point(values.number))
    return Condition(_held_by(Param, test), _runs_of(Param, test))


def _is_number(text: str) -> bool:
    try:
        values.number(text, Span())
    except QuerySyntaxError:
        return False
    return True


_SUMMARIES = {"latest": "latest_value", "last": "latest_value", "min": "min_value", "max": "max_value"}


def _metrics(term: Term, scope: Scope) -> Condition:
    name, column = _key_of(term), "latest_value"
    if len(term.path) > 2 and term.path[-1] in _SUMMARIES:
        name, column = ".".join(term.path[1:-1]), _SUMMARIES[term.path[-1]]
    held = _order_test(F(column), term, _point(values.number))
    if term.operator is Operator.NOT_EQUAL and column == "latest_value":
        held |= Q(latest_value__isnull=True, latest_text="NaN")  # it equals nothing, so it differs
    test = Q(name=name) & held
    return Condition(_held_by(Metric, test), _runs_of(Metric, test))


_DATASET = {"name": "dataset__name", "digest": "dataset__digest", "context": "context"}


def _dataset(term: Term, scope: Scope) -> Condition:
    _only(term, *_TEXT, *_EXACT)
    column = _choice(Value(term.key, span=term.span), _DATASET, what=say("key of a dataset"))
    if term.operator in _NEGATED:
        return Condition(_held_by(DatasetUse, ~_text_test(column, term)))
    test = _text_test(column, term)
    return Condition(_held_by(DatasetUse, test), _runs_of(DatasetUse, test))


def _has(term: Term, scope: Scope) -> Condition:
    _only(term, Operator.MATCHES)
    models: dict[str, tuple[type[Model], str]] = {
        "tags": (Tag, "key"),
        "properties": (Property, "key"),
        "params": (Param, "name"),
        "metrics": (Metric, "name"),
    }
    found = []
    for value in _plain(term, but=say("such as tags.gold")):
        kind, _, key = value.text.partition(".")
        model, column = _choice(Value(kind, span=value.span), models, what=say("word after has:"))
        if not key:
            raise QuerySyntaxError(
                say("'has:{kind}' needs a key", kind=kind), span=value.span, expected=[f"has:{kind}.key"]
            )
        test = Q(**{column: key})
        found.append(Condition(_held_by(model, test), _runs_of(model, test)))
    return plan.any_of(found)


FIELDS: dict[str, Field] = {
    "status": Field(say("The status, or active or ended"), "status:failed,canceled", _status),
    "submitter": Field(say("Who submitted it; me is you"), "submitter:me", _submitter),
    "experiment": Field(say("The experiment's name"), "experiment:churn-*", _experiment),
    "name": Field(say("A part of the display name"), 'name:"learning rate"', _held_text("display_name")),
    "description": Field(say("A part of the description"), "description:baseline", _held_text("description")),
    "id": Field(say("The run id"), "id:churn_1700000000_1f2e3d4c", _id),
    "number": Field(say("The run number in its experiment"), "number:>5", _number),
    "type": Field(say("What drives the run: script, interactive, pipeline or step"), "type:script", _type),
    "target": Field(say("The compute target, or none"), "target:gpu", _target),
    "parent": Field(say("The run id of the parent, or none"), "parent:none", _parent),
    "created": Field(say("When it was submitted"), "created:2026-11-01..2026-11-23", _created),
    "started": Field(say("When it started to run"), "started:>2026-11-01", _started),
    "ended": Field(say("When it ended"), "ended:today", _ended),
    "duration": Field(say("How long it ran, once it has ended"), "duration:>10m", _duration),
    "tags": Field(say("The value of a tag"), 'tags.quality:"great run"', _tags, takes_key=True),
    "properties": Field(say("The value of a property"), "properties.author:azureml-user", _properties, takes_key=True),
    "params": Field(
        say("The value of a param; numbers compare as numbers"), "params.lr>=0.001", _params, takes_key=True
    ),
    "metrics": Field(
        say("The latest value of a metric, or its min or max"), "metrics.loss.min<0.2", _metrics, takes_key=True
    ),
    "dataset": Field(
        say("The name, digest or context of a dataset that it read"), "dataset.name:iris", _dataset, takes_key=True
    ),
    "has": Field(say("Whether there is such a tag, property, param or metric"), "has:tags.gold", _has),
    "is": Field(say("active, ended, archived, child, mine or favorite"), "is:archived", _is),
}
