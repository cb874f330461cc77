"""The fields that a run has itself: one function for each."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import F, Max, OuterRef, Q, QuerySet
from django.utils import timezone

from runs.models import ComputeTarget, Experiment, Favorite, Run, RunType
from runs.search import index, plan, terms, values
from runs.search.nodes import Operator, Range, Span, Term
from runs.search.plan import Condition
from runs.search.terms import Field, Read, Scope
from runs.status import ACTIVE, TERMINAL, RunStatus
from runs.wording import say

_LONGEST_LIST = 1_000


def _status(term: Term, scope: Scope) -> Condition:
    terms.only(term, *terms.TEXT)
    names: dict[str, frozenset[RunStatus]] = {status.lower(): frozenset({status}) for status in RunStatus}
    names |= {"active": ACTIVE, "ended": TERMINAL}
    statuses = frozenset[RunStatus]().union(
        *(
            terms.choice(value, names, what=say("status"))
            for value in terms.plain(term, but=say("a status such as failed"))
        )
    )
    # One query for each status, joined: for a list of them SQLite walks all runs instead of the index.
    first, *others = (scope.queryset.filter(status=status).values_list("pk", flat=True) for status in sorted(statuses))
    found = first.order_by().union(*(other.order_by() for other in others), all=True) if others else first
    test = plan.is_one_of("status", sorted(statuses))
    return terms.unless(Condition(test, lambda: plan.at_most_few(found)), term.operator)


def _is(term: Term, scope: Scope) -> Condition:
    terms.only(term, Operator.MATCHES)
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
        Condition(terms.choice(value, names, what=say("word after is:")), short.get(value.text.lower(), plan.unknown))
        for value in terms.plain(term, but=say("a word"))
    )


def _among(term: Term, scope: Scope, column: str, rows: QuerySet[Any]) -> Condition:
    """Return the condition that `column` refers to one of `rows`, or to nothing where the value is `none`."""
    ids = list(rows.values_list("pk", flat=True)[: _LONGEST_LIST + 1])
    if len(ids) > _LONGEST_LIST:
        return terms.unless(Condition(Q(**{f"{column}__in": rows.values("pk")})), term.operator)
    test = plan.is_one_of(column, ids)
    found = Run.objects.filter(**{f"{column}__in": ids}).values_list("pk", flat=True)
    return terms.unless(Condition(test, lambda: plan.at_most_few(found)), term.operator)


def _submitter(term: Term, scope: Scope) -> Condition:
    terms.only(term, *terms.TEXT, *terms.EXACT)
    test = Q()
    for value in terms.plain(term):
        if term.operator in terms.EXACT:
            test |= terms.text_is("username", value, term.operator)
            continue
        is_me = value.text.lower() == "me" and scope.user.pk is not None
        test |= Q(pk=scope.user.pk) if is_me else terms.text_is("username", value, Operator.MATCHES)
    return _among(term, scope, "submitted_by_id", User.objects.filter(test))


def _experiment(term: Term, scope: Scope) -> Condition:
    terms.only(term, *terms.TEXT)
    return _among(term, scope, "experiment_id", Experiment.objects.filter(terms.text_test("name", term)))


def _target(term: Term, scope: Scope) -> Condition:
    terms.only(term, *terms.TEXT)
    if any(value.text == "none" for value in terms.plain(term)):
        return terms.unless(Condition(Q(compute_target__isnull=True)), term.operator)
    ids = ComputeTarget.objects.filter(terms.text_test("name", term)).values_list("pk", flat=True)
    return terms.unless(Condition(plan.is_one_of("compute_target_id", ids, by_index=False)), term.operator)


def _type(term: Term, scope: Scope) -> Condition:
    terms.only(term, *terms.TEXT)
    names = {run_type.value: run_type.value for run_type in RunType}
    types = [
        terms.choice(value, names, what=say("run type"))
        for value in terms.plain(term, but=say("a run type such as script"))
    ]
    return terms.unless(Condition(plan.is_one_of("run_type", types, by_index=False)), term.operator)


def _parent(term: Term, scope: Scope) -> Condition:
    terms.only(term, *terms.TEXT)
    run_ids = {value.text for value in terms.plain(term, but=say("none or a run id"))}
    parents = list(Run.objects.filter(run_id__in=run_ids).values_list("pk", flat=True))
    test = Q(parent_id__in=parents)
    if "none" in run_ids:
        return terms.unless(Condition(Q(parent__isnull=True) | test), term.operator)
    return terms.unless(Condition(test, scope.few(test)), term.operator)


def _id(term: Term, scope: Scope) -> Condition:
    terms.only(term, *terms.TEXT, *terms.EXACT)
    if term.operator in terms.SQL_PATTERNS:
        return Condition(terms.text_test("run_id", term))
    run_ids = [value.text for value in terms.plain(term, but=say("a run id"))]
    return terms.unless(Condition(Q(run_id__in=run_ids)), term.operator)


def _held_text(column: str) -> Callable[[Term, Scope], Condition]:
    """Return the function of a field for which `:` looks for a part of the text in `column`."""

    def compile_held(term: Term, scope: Scope) -> Condition:
        terms.only(term, *terms.TEXT, *terms.EXACT)
        found = []
        for value in terms.plain(term):
            is_part = term.operator is Operator.MATCHES and not value.is_pattern
            test = Q(**{f"{column}__icontains": value.text}) if is_part else terms.text_is(column, value, term.operator)
            found.append(Condition(test, index.contains([terms.longest_part(value, term.operator)]).few))
        return terms.unless(plan.any_of(found), term.operator)

    return compile_held


def _indexed_order(column: str, term: Term, scope: Scope, read: Read) -> Condition:
    """Return the condition on a column that has an index for lists in its order."""
    found = scope.few(terms.order_test(F(column), term, read))
    return Condition(terms.order_test(plan.Unindexed(F(column)), term, read), found)


def _number(term: Term, scope: Scope) -> Condition:
    return _indexed_order("number", term, scope, terms.point(values.whole_number))


def _duration(term: Term, scope: Scope) -> Condition:
    return _indexed_order("duration_seconds", term, scope, terms.point(values.seconds))


def _read_instants(term: Term, scope: Scope) -> Read:
    at = scope.at.astimezone(timezone.get_current_timezone())

    def read(text: str, span: Span) -> tuple[datetime, datetime]:
        first, after = values.instants(text, span, at=at)
        # `created:7d` is "in the last seven days", up to and with now.
        return (first, at + timedelta(seconds=1)) if first == after and term.operator in terms.TEXT else (first, after)

    return read


def _created(term: Term, scope: Scope) -> Condition:
    read = _read_instants(term, scope)
    found = Run.objects.filter(terms.order_test(F("created_at"), term, read)).values_list("pk", flat=True)
    test = terms.order_test(plan.Unindexed(F("created_at")), term, read)
    return Condition(test, lambda: plan.at_most_few(found), _newest_until(term, read))


def _started(term: Term, scope: Scope) -> Condition:
    read = _read_instants(term, scope)
    return Condition(terms.order_test(F("started_at"), term, read), newest=_newest_until(term, read))


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
    "is": Field(say("active, ended, archived, child, mine or favorite"), "is:archived", _is),
}
