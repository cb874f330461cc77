"""The fields with a key, for what hangs on a run: one function for each."""

from dataclasses import replace
from typing import Any

from django.db.models import F, Model, OrderBy, OuterRef, Q, QuerySet
from django.db.models import Value as Literal
from django.db.models.lookups import Exact

from runs.models import DatasetUse, Metric, Param, Property, Tag
from runs.models.tag import ValueHead
from runs.search import index, plan, terms, values
from runs.search.grammar import QuerySyntaxError
from runs.search.nodes import Operator, Range, Span, Term, Value
from runs.search.plan import Condition
from runs.search.terms import Field, Scope
from runs.wording import say


def _key_of(term: Term) -> str:
    if not term.key:
        name = term.path[0]
        raise QuerySyntaxError(say("'{name}' needs a key", name=name), span=term.span, expected=[f"{name}.key:value"])
    return term.key


def _held_by(model: type[Model], test: Q) -> Q:
    return Q(plan.Holds(model._default_manager.filter(test, run=OuterRef("pk"))))


def _runs_of(model: type[Model], test: Q, by: str | OrderBy = "-run_id") -> QuerySet[Any, int]:
    """Return the runs of the rows that meet `test`, in the order `by` in which an index has them."""
    return model._default_manager.filter(test).order_by(by).values_list("run_id", flat=True)


def _found(model: type[Model], test: Q, by: str | OrderBy) -> Condition:
    """Return the condition that a run has a row of `model` that meets `test`, which an index has in the order `by`."""
    return Condition(_held_by(model, test), lambda: plan.at_most_few(_runs_of(model, test, by)))


def _keyed_text(model: type[Model], key_column: str, term: Term) -> Condition:
    """Return the condition that `model` has the key with one of the term's texts as its value."""
    key = Q(**{key_column: _key_of(term)})
    if term.operator in terms.NEGATED:
        return Condition(_held_by(model, key & ~terms.text_test("value", term) & Q(value__isnull=False)))
    return plan.any_of(_keyed_value(model, key, value, term.operator) for value in terms.plain(term))


def _keyed_value(model: type[Model], key: Q, value: Value, operator: Operator) -> Condition:
    test = _held_by(model, key & terms.text_is("value", value, operator))
    if value.is_pattern or operator in terms.SQL_PATTERNS:
        part = terms.longest_part(value, operator)
        is_long = model is Tag and len(part) >= index.TRIGRAM
        return Condition(test, index.contains([part]).few if is_long else plan.unknown)
    ids = _runs_of(model, key & Q(Exact(ValueHead(F("value")), ValueHead(Literal(value.text)))))
    return Condition(test, lambda: plan.at_most_few(ids), ids=ids)


def _tags(term: Term, scope: Scope) -> Condition:
    terms.only(term, *terms.TEXT, *terms.EXACT)
    return _keyed_text(Tag, "key", term)


def _properties(term: Term, scope: Scope) -> Condition:
    terms.only(term, *terms.TEXT)
    return _keyed_text(Property, "key", term)


def _params(term: Term, scope: Scope) -> Condition:
    is_number = all(isinstance(value, Range) or _is_number(value.text) for value in term.values)
    if term.operator in terms.EXACT or (term.operator in terms.TEXT and not is_number):
        return _keyed_text(Param, "name", term)
    test = Q(name=_key_of(term)) & terms.order_test(F("number"), term, terms.point(values.number))
    return _found(Param, test, "number")


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
    held = terms.order_test(F(column), term, terms.point(values.number))
    if term.operator is Operator.NOT_EQUAL and column == "latest_value":
        held |= Q(latest_value__isnull=True, latest_text="NaN")  # it equals nothing, so it differs
    test = Q(name=name) & held
    return _found(Metric, test, column)


_DATASET = {"name": "dataset__name", "digest": "dataset__digest", "context": "context"}


def _dataset(term: Term, scope: Scope) -> Condition:
    terms.only(term, *terms.TEXT, *terms.EXACT)
    column = terms.choice(Value(term.key, span=term.span), _DATASET, what=say("key of a dataset"))
    if term.operator in terms.NEGATED:
        return Condition(_held_by(DatasetUse, ~terms.text_test(column, term)))
    test = terms.text_test(column, term)
    return _found(DatasetUse, test, "pk")


def _has(term: Term, scope: Scope) -> Condition:
    terms.only(term, Operator.MATCHES)
    models: dict[str, tuple[type[Model], str, str | OrderBy]] = {
        "tags": (Tag, "key", "-run_id"),
        "properties": (Property, "key", ValueHead(F("value")).asc()),
        "params": (Param, "name", "number"),
        "metrics": (Metric, "name", "latest_value"),
    }
    found = []
    for value in terms.plain(term, but=say("such as tags.gold")):
        kind, _, key = value.text.partition(".")
        model, column, by = terms.choice(Value(kind, span=value.span), models, what=say("word after has:"))
        if not key:
            raise QuerySyntaxError(
                say("'has:{kind}' needs a key", kind=kind), span=value.span, expected=[f"has:{kind}.key"]
            )
        condition = _found(model, Q(**{column: key}), by)
        found.append(replace(condition, ids=_runs_of(Tag, Q(key=key))) if model is Tag else condition)
    return plan.any_of(found)


FIELDS: dict[str, Field] = {
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
}
