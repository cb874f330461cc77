"""Logged models: described when their training logs them, ready once their files are there."""

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from runs import limits
from runs.actions import checks
from runs.actions.recording import Point
from runs.errors import InvalidInput, NotFound
from runs.models import Experiment, LoggedModel, LoggedModelMetric, LoggedModelUse, Run
from runs.models.logged_model import LoggedModelStatus
from runs.wording import say

_NAME_LENGTH = 500
_MODEL_ID = re.compile(r"m-[0-9a-f]{1,62}")


@dataclass(frozen=True)
class ModelPoint:
    """A point of a run's metric that measures a model, on a dataset if it says which."""

    model_id: str
    point: Point
    dataset_name: str = ""
    dataset_digest: str = ""


def create(
    *,
    experiment: Experiment,
    run: Run | None,
    name: str,
    model_type: str = "",
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    at: datetime,
    model_id: str = "",
) -> LoggedModel:
    """Make a model whose files are still to come; `run` keeps them. `model_id` is that of one which was elsewhere."""
    if model_id and not _MODEL_ID.fullmatch(model_id):
        raise InvalidInput(
            say("{model_id!r} is no id of a model: expected `m-` and hex digits.", model_id=model_id[:100]),
            field="model_id",
        )
    return LoggedModel.objects.create(
        model_id=model_id or f"m-{uuid.uuid4().hex}",
        experiment=experiment,
        run=run,
        name=checks.text(name, field="name", limit=_NAME_LENGTH),
        model_type=checks.text(model_type, field="model_type", limit=_NAME_LENGTH),
        status=LoggedModelStatus.PENDING,
        params=checks.params(params or {}),
        tags=checks.tags(tags or {}),
        created_at=at,
        updated_at=at,
    )


def finalize(*, model: LoggedModel, status: LoggedModelStatus, at: datetime) -> LoggedModel:
    """Say that the files of a model are there, or that they never will be."""
    LoggedModel.objects.filter(pk=model.pk).update(status=status, updated_at=at)
    model.status, model.updated_at = status, at
    return model


def describe(
    *,
    model: LoggedModel,
    tags: Mapping[str, Any] | None = None,
    remove_tags: Iterable[str] = (),
    params: Mapping[str, Any] | None = None,
) -> LoggedModel:
    """Set tags, take tags off, and add params: those that are there already keep their value."""
    with transaction.atomic():
        held = LoggedModel.objects.select_for_update().get(pk=model.pk)
        held.tags = {**held.tags, **checks.tags(tags or {})}
        for key in remove_tags:
            held.tags.pop(key, None)
        held.params = {**checks.params(params or {}), **held.params}
        checks.count(len(held.tags), field="tags", limit=limits.TAGS_PER_RUN)
        checks.count(len(held.params), field="params", limit=limits.PARAMS_PER_RUN)
        held.save(update_fields=["tags", "params"])
    model.tags, model.params = held.tags, held.params
    return model


def delete(*, model: LoggedModel, at: datetime) -> None:
    """Hide a model. Its files stay with its run. Deleting it again changes nothing."""
    LoggedModel.objects.filter(pk=model.pk, deleted_at=None).update(deleted_at=at)


def note_uses(*, run: Run, models: Mapping[str, int], is_output: bool) -> None:
    """Note that `run` made or read the models of these ids, at their steps. Noted again, nothing changes.

    Raises NotFound if one is no model of the run's workspace.
    """
    found = _find(run, models)
    LoggedModelUse.objects.bulk_create(
        [
            LoggedModelUse(run=run, model=found[model_id], is_output=is_output, step=step)
            for model_id, step in models.items()
        ],
        ignore_conflicts=True,
    )


def log_metrics(*, run: Run, points: Sequence[ModelPoint]) -> None:
    """Keep for each model the latest value of each metric, apart for each dataset. Raises NotFound."""
    if not points:
        return
    models = _find(run, [point.model_id for point in points])
    latest: dict[tuple[int, str, str, str], Point] = {}
    for point in points:
        identity = (models[point.model_id].pk, point.point.name, point.dataset_name, point.dataset_digest)
        held = latest.get(identity)
        if held is None or _order(point.point) >= _order(held):
            latest[identity] = point.point
    with transaction.atomic():
        stored = {
            (metric.model_id, metric.name, metric.dataset_name, metric.dataset_digest): (metric.step, metric.at)
            for metric in LoggedModelMetric.objects.select_for_update().filter(
                model__in=models.values(), name__in={point.point.name for point in points}
            )
        }
        LoggedModelMetric.objects.bulk_create(
            [
                LoggedModelMetric(
                    model_id=model,
                    run=run,
                    name=name,
                    dataset_name=dataset,
                    dataset_digest=digest,
                    **_value(point),
                    step=point.step or 0,
                    at=point.at or run.created_at,
                )
                for (model, name, dataset, digest), point in latest.items()
                if (model, name, dataset, digest) not in stored or _order(point) >= stored[model, name, dataset, digest]
            ],
            update_conflicts=True,
            unique_fields=["model", "name", "dataset_name", "dataset_digest"],
            update_fields=["run", "value", "text", "step", "at"],
        )


def _find(run: Run, model_ids: Iterable[str]) -> dict[str, LoggedModel]:
    wanted = set(model_ids)
    rows = LoggedModel.objects.present().filter(model_id__in=wanted, experiment__workspace_id=run.workspace_id)
    found = {model.model_id: model for model in rows}
    if absent := wanted - set(found):
        raise NotFound(say("Logged model with ID '{absent}' not found.", absent=min(absent)[:100]), field="model_id")
    return found


def _order(point: Point) -> tuple[int, Any]:
    return point.step or 0, point.at


def _value(point: Point) -> dict[str, Any]:
    value = point.value if point.value is not None else float("nan")
    if value != value:
        return {"value": None, "text": "NaN"}
    if value in (float("inf"), float("-inf")):
        return {"value": None, "text": "Infinity" if value > 0 else "-Infinity"}
    return {"value": value, "text": ""}
