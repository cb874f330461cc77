"""Datasets: what a run says that it reads."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from runs.actions import checks
from runs.models import Dataset, DatasetUse, Run

_CONTEXT = "mlflow.data.context"
_LIMITS = {
    "name": 500,
    "digest": 36,
    "source_type": 36,
    "source": 65_535,
    "schema": 1_048_575,
    "profile": 16_777_215,
}


@dataclass(frozen=True)
class Described:
    """A dataset as a client describes it, with what it says about this use."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None
    tags: tuple[tuple[str, str], ...] = ()


def note_uses(*, run: Run, datasets: Sequence[Described]) -> None:
    """Note that `run` reads these. A dataset is known by its name and digest; noted again, nothing changes."""
    for place, one in enumerate(datasets):
        for name, limit in _LIMITS.items():
            checks.text(getattr(one, name) or "", field=f"datasets[{place}].dataset.{name}", limit=limit)
    if not datasets:
        return
    with transaction.atomic():
        Dataset.objects.bulk_create(
            [
                Dataset(experiment_id=run.experiment_id, **{name: getattr(one, name) for name in _LIMITS})
                for one in datasets
            ],
            ignore_conflicts=True,
        )
        rows = Dataset.objects.filter(experiment=run.experiment_id, name__in={one.name for one in datasets})
        ids = {(name, digest): pk for pk, name, digest in rows.values_list("pk", "name", "digest")}
        DatasetUse.objects.bulk_create(
            [
                DatasetUse(
                    run=run,
                    dataset_id=ids[one.name, one.digest],
                    context=dict(one.tags).get(_CONTEXT, "")[:500],
                    tags=[list(tag) for tag in one.tags],
                )
                for one in datasets
            ],
            ignore_conflicts=True,
        )
