"""The index behind bare words: one text per run, found by any three letters in a row.

The text is written here and nowhere else. What may be found is looked up by trigrams,
which both databases keep for us, and then tested against the text itself.
"""

import unicodedata
from collections.abc import Iterable, Sequence

from django.db import connection, transaction
from django.db.models import F, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL

from runs import rows
from runs.models import Run, SearchText, Tag
from runs.prepared import AnyOf, Prepared
from runs.search import plan
from runs.search.plan import Condition, at_most_few

# Shorter words have no trigram.
TRIGRAM = 3
_BATCH = 500
_COLUMNS = ("run_id", "text")
_runs = Prepared(
    lambda run_ids: Run.objects.filter(AnyOf(F("pk"), run_ids)).values_list(
        "pk", "display_name", "run_id", "experiment__name", "submitted_by__username", "description"
    )
)
_tags = Prepared(
    lambda run_ids: Tag.objects.filter(AnyOf(F("run_id"), run_ids)).order_by("id").values_list("run_id", "key", "value")
)


def fold(text: str) -> str:
    """Return `text` as it is stored and looked for: composed, without case, without null characters."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()).replace("\0", "")


def text_of(
    *,
    display_name: str,
    run_id: str,
    experiment: str,
    submitter: str,
    tags: Iterable[tuple[str, str | None]],
    description: str,
) -> str:
    """Return what is stored for a run with these texts, one a line."""
    lines = [display_name, run_id, experiment, submitter]
    lines += [key if value is None else f"{key}: {value}" for key, value in tags]
    return fold("\n".join([*lines, description]))


def refresh(*, run_ids: Iterable[int]) -> int:
    """Store the present texts of the runs whose rows are `run_ids`; return how many tags these have.

    Part of the transaction that changed them.
    """
    wanted = sorted(set(run_ids))
    return sum(_refresh(wanted[start : start + _BATCH]) for start in range(0, len(wanted), _BATCH))


def store(texts: Sequence[tuple[int, str]]) -> None:
    """Store the texts of runs that were just inserted, as `text_of` has them."""
    rows.insert(SearchText, _COLUMNS, texts)


def _refresh(run_ids: list[int]) -> int:
    tags: dict[int, list[tuple[str, str | None]]] = {}
    found_tags = _tags.later(run_ids)
    found_runs = _runs(run_ids)
    for run_pk, key, value in found_tags():
        tags.setdefault(run_pk, []).append((key, value))
    texts = [
        (
            pk,
            text_of(
                display_name=display_name,
                run_id=run_id,
                experiment=experiment,
                submitter=submitter,
                tags=tags.get(pk, ()),
                description=description,
            ),
        )
        for pk, display_name, run_id, experiment, submitter, description in found_runs
    ]
    rows.insert(SearchText, _COLUMNS, texts, unique=("run_id",), update=("text",))
    return sum(map(len, tags.values()))


def rebuild() -> int:
    """Store the texts of all runs anew and return how many there are. Safe beside writers."""
    count, after = 0, 0
    while run_ids := list(Run.objects.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:_BATCH]):
        with transaction.atomic():
            _refresh(run_ids)
        count, after = count + len(run_ids), run_ids[-1]
    return count


def contains(words: Iterable[str]) -> Condition:
    """Return the condition that a run's text holds each of `words`, whatever their case."""
    folded = [fold(word) for word in words]
    held = Q()
    for word in folded:
        held &= Q(text__contains=word)
    test = Q(plan.Holds(SearchText.objects.filter(held, run=OuterRef("pk"))))
    long = [word for word in folded if len(word) >= TRIGRAM]
    if long:
        return Condition(test, lambda: at_most_few(_may_hold(long).values_list("pk", flat=True)))
    return Condition(test)


def _may_hold(words: list[str]) -> QuerySet[SearchText]:
    """Return the texts that hold all trigrams of `words`, by the index: nearly always those that hold the words."""
    if connection.vendor != "sqlite":
        held = Q()
        for word in words:
            held &= Q(text__contains=word)
        return SearchText.objects.filter(held)
    trigrams = {word[start : start + TRIGRAM] for word in words for start in range(len(word) - TRIGRAM + 1)}
    match = " AND ".join('"' + trigram.replace('"', '""') + '"' for trigram in sorted(trigrams))
    rows = RawSQL(
        "SELECT rowid FROM runs_searchtext_fts WHERE runs_searchtext_fts MATCH %s LIMIT %s", [match, plan.FEW + 1]
    )
    return SearchText.objects.filter(run__in=rows)
