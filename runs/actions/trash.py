"""The trash: what is deleted exists for nobody, can be restored for some days, and is then purged."""

from collections.abc import Collection, Iterator
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from runs import lifecycle
from runs.actions.archiving import StillActive
from runs.errors import Conflict, NotFound
from runs.models import Experiment, Run
from runs.status import ACTIVE
from runs.wording import say

_BATCH = 1_000


class CannotRestore(Conflict):
    """This cannot be restored."""

    code = "cannot_restore"


def trash_run(*, run: Run, at: datetime) -> int:
    """Move `run` to the trash with everything below it, and return how many runs that are.

    All or nothing. Doing it again moves nothing. Raises StillActive if one of them has not ended.
    """
    with transaction.atomic():
        return _mark(_with_descendants([run.pk]), at=at)


def restore_run(*, run: Run) -> int:
    """Bring `run` back with what was deleted together with it; return how many runs that are.

    Raises CannotRestore while its experiment or its parent is in the trash, or once the purge has begun.
    """
    if run.experiment.trashed_at is not None:
        raise CannotRestore(say("Its experiment is in the trash: restore the experiment."))
    if run.parent is not None and run.parent.trashed_at is not None:
        raise CannotRestore(say("Its parent run is in the trash: restore the parent."))
    with transaction.atomic():
        restored = _unmark(_with_descendants([run.pk]), trashed_at=run.trashed_at)
    if not restored and Run.with_trash.filter(pk=run.pk, purged_at__isnull=False).exists():
        raise CannotRestore(say("It is being removed for good."))
    return restored


def trash_experiment(*, experiment: Experiment, at: datetime) -> None:
    """Move `experiment` to the trash with its runs, so many at a time; `finish_experiments` goes on where it stopped.

    Raises StillActive if one of its runs has not ended.
    """
    own = Q(experiment=experiment) | Q(root__experiment=experiment)
    if Run.objects.filter(own, status__in=ACTIVE).exists():
        raise StillActive(say("A run of this experiment has not ended: cancel it first."))
    if Experiment.objects.filter(pk=experiment.pk).update(trashed_at=at):
        experiment.trashed_at = at
        _mark_runs_of(experiment, at=at)


def restore_experiment(*, experiment: Experiment) -> None:
    """Bring `experiment` back with the runs that were deleted with it.

    Raises CannotRestore if there is another one of its name meanwhile, or once the purge has begun.
    """
    if experiment.purged_at is not None:
        raise CannotRestore(say("It is being removed for good."))
    if Experiment.objects.filter(workspace=experiment.workspace, name=experiment.name).exists():
        raise CannotRestore(
            say("There is an experiment {experiment!r} again: rename that one first.", experiment=experiment.name),
            field="experiment",
        )
    deleted = Run.with_trash.filter(experiment=experiment, trashed_at=experiment.trashed_at, purged_at__isnull=True)
    while keys := list(deleted.order_by("pk").values_list("pk", flat=True)[:_BATCH]):
        with transaction.atomic():
            _unmark(_with_descendants(keys), trashed_at=experiment.trashed_at)
    Experiment.with_trash.filter(pk=experiment.pk).update(trashed_at=None)


def finish_experiments(*, at: datetime) -> None:
    """Move those runs to the trash whose experiment is there already: whoever did it was stopped halfway."""
    for experiment in Experiment.with_trash.filter(trashed_at__isnull=False, purged_at__isnull=True):
        try:
            _mark_runs_of(experiment, at=experiment.trashed_at or at)
        except StillActive:
            continue  # a run that came in at that very moment: another time


def would_move(run: int) -> set[int]:
    """Return the rows that `trash_run` would move with the run in the row `run`; none if one of them has not ended."""
    shown = Run.objects.filter(pk__in=_with_descendants([run]))
    return set() if shown.filter(status__in=ACTIVE).exists() else set(shown.values_list("pk", flat=True))


def get_deleted_run(workspace_id: int, run_id: str) -> Run:
    """Return a run in the trash of the workspace, else raise NotFound."""
    found = Run.with_trash.filter(workspace_id=workspace_id, run_id=run_id, trashed_at__isnull=False)
    run = found.select_related("experiment", "parent").first()
    if run is None:
        raise NotFound(say("There is no run {run_id!r} in the trash.", run_id=run_id), field="run_id")
    return run


def _mark_runs_of(experiment: Experiment, *, at: datetime) -> None:
    left = Run.objects.filter(experiment=experiment).exclude(status__in=ACTIVE).order_by("pk")
    while keys := list(left.values_list("pk", flat=True)[:_BATCH]):
        with transaction.atomic():
            _mark(_with_descendants(keys), at=at)


def _with_descendants(keys: Collection[int]) -> list[int]:
    """Return the rows of the runs `keys` and of all below them, wherever they are."""
    found, level = set(keys), list(keys)
    while level:
        level = list(Run.with_trash.filter(parent__in=level).values_list("pk", flat=True))
        level = [key for key in level if key not in found]
        found.update(level)
    return sorted(found)


def _mark(keys: list[int], *, at: datetime) -> int:
    moved = 0
    for some in _batches(keys):
        runs = list(Run.objects.select_for_update().filter(pk__in=some).only("experiment_id", "parent_id", "status"))
        if any(not run.is_terminal for run in runs):
            raise StillActive(say("A run that has not ended cannot be deleted: cancel it first."))
        Run.objects.filter(pk__in=[run.pk for run in runs]).update(trashed_at=at)
        lifecycle.count_shown(runs, are_shown=False)
        _find_latest({run.experiment_id for run in runs})
        moved += len(runs)
    return moved


def _unmark(keys: list[int], *, trashed_at: datetime | None) -> int:
    restored = 0
    for some in _batches(keys):
        deleted = Run.with_trash.filter(pk__in=some, trashed_at=trashed_at, purged_at__isnull=True)
        runs = list(deleted.exclude(trashed_at=None).select_for_update().only("experiment_id", "parent_id", "status"))
        Run.with_trash.filter(pk__in=[run.pk for run in runs]).update(trashed_at=None)
        lifecycle.count_shown(runs, are_shown=True)
        _find_latest({run.experiment_id for run in runs})
        restored += len(runs)
    return restored


def _find_latest(experiments: set[int]) -> None:
    """Let experiments name a run that can be seen as their latest."""
    for pk in experiments:
        latest = Run.objects.filter(experiment=pk).order_by("-pk").only("pk", "created_at").first()
        Experiment.with_trash.filter(pk=pk).update(latest_run=latest)


def _batches(keys: list[int]) -> Iterator[list[int]]:
    return (keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH))
