"""Experiments: made on first use, described, archived and restored."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from runs import limits
from runs.actions import checks
from runs.errors import InvalidInput
from runs.models import Experiment, StatusCount, Workspace
from runs.status import RunStatus


def check_name(name: str) -> str:
    """Return `name` if an experiment may be called so, else raise InvalidInput."""
    checks.text(name, field="experiment", limit=limits.EXPERIMENT_NAME_LENGTH)
    if not name or name != name.strip() or not name.isprintable() or name in (".", ".."):
        raise InvalidInput(
            f"{name[:100]!r} is no name for an experiment: expected text without control characters"
            " and without spaces at its ends, such as `explore-runs`.",
            field="experiment",
        )
    return name


def get_or_create(*, workspace: Workspace, name: str, by: User, at: datetime) -> Experiment:
    """Return the experiment `name` of `workspace`, making it if there is none.

    An archived one is returned as it is; the next run in it restores it.
    """
    check_name(name)
    with transaction.atomic():
        experiment, is_new = Experiment.objects.get_or_create(
            workspace=workspace, name=name, defaults={"created_at": at, "latest_submitted_at": at}
        )
        if is_new:
            StatusCount.objects.bulk_create(
                StatusCount(experiment=experiment, is_child=is_child, status=status)
                for is_child in (False, True)
                for status in RunStatus
            )
    experiment.workspace = workspace
    return experiment


def archive(*, experiment: Experiment, by: User, at: datetime) -> Experiment:
    """Hide `experiment` from lists. Archiving it again changes nothing."""
    if Experiment.objects.filter(pk=experiment.pk, archived_at=None).update(archived_at=at):
        experiment.archived_at = at
    return experiment


def restore(*, experiment: Experiment, by: User, at: datetime) -> Experiment:
    """Show `experiment` in lists again. Restoring it again changes nothing."""
    Experiment.objects.filter(pk=experiment.pk).update(archived_at=None)
    experiment.archived_at = None
    return experiment


def describe(
    *,
    experiment: Experiment,
    description: str | None = None,
    tags: Mapping[str, Any] | None = None,
    remove_tags: Iterable[str] = (),
) -> Experiment:
    """Change the description, add or change `tags`, and take away those named in `remove_tags`; None leaves as is."""
    with transaction.atomic():
        held = Experiment.objects.select_for_update().get(pk=experiment.pk)
        if description is not None:
            held.description = checks.text(description, field="description", limit=limits.DESCRIPTION_LENGTH)
        merged = {**held.tags, **checks.tags(tags or {})}
        for key in remove_tags:
            merged.pop(key, None)
        checks.count(len(merged), field="tags", limit=limits.TAGS_PER_RUN)
        held.tags = merged
        held.save(update_fields=["description", "tags"])
    experiment.description, experiment.tags = held.description, held.tags
    return experiment
