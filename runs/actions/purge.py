"""Remove for good what was in the trash long enough: rows and files together, whatever interrupts it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, Sum

from runs import storage
from runs.actions import retention, snapshots, trash
from runs.models import Artifact, Experiment, Metric, MetricBucket, MetricPoint, Run, Snapshot
from runs.models.run import RunQuerySet
from runs.status import TERMINAL

_BATCH = 200
# Code that is about to be named: of a form that is being filled, or a program's, which publishes it next.
_SNAPSHOT_REST = timedelta(days=1)
_UPLOAD_REST = timedelta(days=2)


def due(*, at: datetime, days: float) -> RunQuerySet:
    """Return the runs that `purge` would remove, once the retention rules were applied."""
    since = at - timedelta(days=days)
    # What `finish_experiments` moves first, and what the rules move this very moment.
    unfinished = Experiment.with_trash.filter(trashed_at__lte=since, purged_at__isnull=True).values("pk")
    left = Q(experiment__in=unfinished) | Q(root__experiment__in=unfinished)
    moved = retention.would_move(at=at) if days <= 0 else set()
    return Run.with_trash.filter(
        Q(trashed_at__lte=since)
        | Q(purged_at__isnull=False)
        | Q(pk__in=moved)
        | left & Q(trashed_at__isnull=True, status__in=TERMINAL)
    )


def purge(*, at: datetime, days: float) -> int:
    """Remove what has been in the trash for `days`, and return how many runs that were.

    1. The rows are marked: nothing brings them back from now on.
    2. Their files go, then the rows, some at a time. Stopped anywhere, the next call goes
       on: a row is there until its files are gone.
    """
    trash.finish_experiments(at=at)
    old = {"trashed_at__lte": at - timedelta(days=days), "purged_at__isnull": True}
    Experiment.with_trash.filter(**old).update(purged_at=at)
    Run.with_trash.filter(**old).update(purged_at=at)
    removed = sum(_remove(keys) for keys in _marked())
    Experiment.with_trash.filter(purged_at__isnull=False).exclude(pk__in=Run.with_trash.values("experiment")).delete()
    return removed


def purge_snapshots(*, at: datetime) -> int:
    """Remove the stored code that nothing names and nobody stored for a day; return how many snapshots that were."""
    return sum(snapshots.remove(found, unwanted_since=at - _SNAPSHOT_REST) for found in snapshots.unnamed())


def due_snapshots(*, at: datetime, without: RunQuerySet) -> list[Snapshot]:
    """Return what `purge_snapshots` would remove, once the runs `without` are gone."""
    found = snapshots.unnamed(without=without)
    return [each for each in found if not snapshots.is_wanted(each, unwanted_since=at - _SNAPSHOT_REST)]


def purge_uploads(*, at: datetime) -> int:
    """Remove the parts of files to which no other came for days; return of how many files."""
    return sum(map(storage.delete_upload, due_uploads(at=at)))


def due_uploads(*, at: datetime) -> list[str]:
    """Return what `purge_uploads` would remove."""
    return storage.old_uploads(before=at - _UPLOAD_REST)


def measure(*, limit: int = 5_000) -> int:
    """Measure what runs that ended left on the disk, count it for their experiments, and return how many runs."""
    runs = Run.with_trash.filter(disk_bytes__isnull=True, ended_at__isnull=False).order_by("-pk")
    keys = list(runs.values_list("pk", "experiment_id")[:limit])
    for pk, experiment in keys:
        files = Artifact.objects.filter(run=pk).aggregate(total=Sum("size_bytes"))["total"] or 0
        size = files + sum(log.size_bytes for log in storage.list_logs(pk))
        with transaction.atomic():
            # Whoever measures it first counts it.
            if Run.with_trash.filter(pk=pk, disk_bytes__isnull=True).update(disk_bytes=size):
                Experiment.with_trash.filter(pk=experiment).update(disk_bytes=F("disk_bytes") + size)
    return len(keys)


def _marked() -> Iterator[list[Run]]:
    # Children have greater numbers than their parents, and so go first.
    marked = Run.with_trash.filter(purged_at__isnull=False).order_by("-pk").only("pk", "experiment_id", "disk_bytes")
    while runs := list(marked[:_BATCH]):
        yield runs


def _remove(runs: list[Run]) -> int:
    keys = [run.pk for run in runs]
    for key in keys:
        storage.delete_run(key)
    with transaction.atomic():
        for run in runs:
            Experiment.with_trash.filter(pk=run.experiment_id).update(
                disk_bytes=F("disk_bytes") - (run.disk_bytes or 0)
            )
        series = Metric.objects.filter(run__in=keys)
        MetricPoint.objects.filter(metric__in=series)._raw_delete(using=series.db)
        MetricBucket.objects.filter(metric__in=series)._raw_delete(using=series.db)
        Run.with_trash.filter(pk__in=keys).delete()
    return len(keys)
