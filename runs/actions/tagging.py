"""Tags, which come and go, and properties, which are written once."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction

from runs import limits, rows
from runs.actions import checks
from runs.errors import Conflict
from runs.models import KeyKind, Property, Run, Tag
from runs.search import index, keys
from runs.wording import say


class PropertyIsWriteOnce(Conflict):
    """A property cannot be changed once it is set."""

    code = "property_is_write_once"


def set_tags(*, run: Run, tags: Mapping[str, Any]) -> None:
    """Add `tags` to the run, or change their values; None is a tag without a value. Others stay."""
    seen: keys.Seen = {}
    with transaction.atomic():
        store_tags(run=run, tags=tags, seen=seen)
        keys.keep(run.workspace_id, seen)


def store_tags(*, run: Run, tags: Mapping[str, Any], seen: keys.Seen) -> None:
    """Add `tags` as `set_tags` does. Inside a transaction; their keys are added to `seen`."""
    checked = checks.tags(tags)
    if not checked:
        return
    given = [(run.pk, run.experiment_id, key, value) for key, value in checked.items()]
    rows.insert(Tag, ("run_id", "experiment_id", "key", "value"), given, unique=("run_id", "key"), update=("value",))
    checks.count(index.refresh(run_ids=[run.pk]), field="tags", limit=limits.TAGS_PER_RUN)
    seen.setdefault(KeyKind.TAG, set()).update(checked)


def remove_tags(*, run: Run, keys: Iterable[str]) -> None:
    """Take the tags `keys` off the run. Those it does not have are passed over."""
    with transaction.atomic():
        removed, _ = Tag.objects.filter(run=run, key__in=list(keys)).delete()
        if removed:
            index.refresh(run_ids=[run.pk])


def add_properties(*, run: Run, properties: Mapping[str, Any]) -> None:
    """Add `properties` to the run. One that is there with the same value is passed over.

    Raises PropertyIsWriteOnce if one is there with another value; nothing is written then.
    """
    checked = checks.properties(properties)
    if not checked:
        return
    with transaction.atomic():
        Property.objects.bulk_create(
            [Property(run=run, key=key, value=value) for key, value in checked.items()], ignore_conflicts=True
        )
        held = dict(Property.objects.filter(run=run).values_list("key", "value"))
        for key, value in checked.items():
            if held[key] != value:
                raise PropertyIsWriteOnce(
                    say(
                        "The property {key!r} is already {held!r} and cannot be changed.", key=key, held=held[key][:100]
                    ),
                    field=f"properties.{key}",
                )
        checks.count(len(held), field="properties", limit=limits.PROPERTIES_PER_RUN)
        keys.keep(run.workspace_id, {KeyKind.PROPERTY: checked})
