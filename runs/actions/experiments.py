"""Experiments: made on first use, described, archived and restored."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from runs import limits
from runs.actions import checks
from runs.errors import Conflict, InvalidInput
from runs.models import Experiment, Run, StatusCount, Workspace
from runs.search import index
from runs.status import RunStatus
from runs.wording import say


class ExperimentExists(Conflict):
    """There is an experiment of this name already."""

    code = "experiment_exists"

    def __init__(self, name: str) -> None:
        super().__init__(say("There is an experiment {name!r} already.", name=name), field="experiment")


def check_name(name: str) -> str:
    """Return `name` if an experiment may be called so, else raise InvalidInput."""
    checks.text(name, field="experiment", limit=limits.EXPERIMENT_NAME_LENGTH)
    if not name or name != name.strip() or not name.isprintable() or name in (".", ".."):
        raise InvalidInput(
            say(
                "{name!r} is no name for an experiment: expected text without control characters and "
                "without spaces at its ends, such as `explore-runs`.",
                name=name[:100],
            ),
            field="experiment",
        )
    return name


def get_or_create(*, workspace: Workspace, name: str, by: User, at: datetime) -> Experiment:
    """Return the experiment `name` of `workspace`, making it if there is none.

    An archived one is returned as it is; the next run in it restores it.
    """
    check_name(name)
    # A look without the write lock: most runs are not the first.
    experiment = Experiment.objects.filter(workspace=workspace, name=name).first()
    if experiment is None:
        with transaction.atomic():
            experiment, is_new = Experiment.objects.get_or_create(
                workspace=workspace, name=name, defaults={"created_at": at, "latest_submitted_at": at}
            )
            if is_new:
                _count_from_zero(experiment)
    experiment.workspace = workspace
    return experiment


def create(
    *, workspace: Workspace, name: str, by: User, at: datetime, tags: Mapping[str, Any] | None = None
) -> Experiment:
    """Make the experiment `name`. Raises ExperimentExists if there is one, archived or not."""
    checked = checks.tags(tags or {})
    check_name(name)
    with transaction.atomic():
        if Experiment.objects.filter(workspace=workspace, name=name).exists():
            raise ExperimentExists(name)
        try:
            with transaction.atomic():
                experiment = Experiment.objects.create(
                    workspace=workspace, name=name, tags=checked, created_at=at, latest_submitted_at=at
                )
        except IntegrityError:  # another made it meanwhile
            raise ExperimentExists(name) from None
        _count_from_zero(experiment)
    return experiment


def rename(*, experiment: Experiment, name: str, by: User) -> Experiment:
    """Call `experiment` `name` from now on. Raises ExperimentExists if another is called so."""
    check_name(name)
    try:
        with transaction.atomic():
            Experiment.objects.filter(pk=experiment.pk).update(name=name)
            run_ids = Run.objects.filter(experiment=experiment).values_list("pk", flat=True)
            index.refresh(run_ids=run_ids)
    except IntegrityError:
        raise ExperimentExists(name) from None
    experiment.name = name
    return experiment


def _count_from_zero(experiment: Experiment) -> None:
    StatusCount.objects.bulk_create(
        StatusCount(experiment=experiment, is_child=is_child, status=status)
        for is_child in (False, True)
        for status in RunStatus
    )


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
        held = Experiment.objects.select_for_update(no_key=True).get(pk=experiment.pk)
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
