"""Runs that were tracked elsewhere, with their ids and times. Their points and files come by the usual ways."""

from collections import defaultdict

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Status

from runs import shapes
from runs.actions import experiments, importing, tagging
from runs.api.v1 import auth, bodies
from runs.api.v1.answers import REFUSALS, CountsOut, ImportOut, Refusal
from runs.models import Property, Run
from runs.status import RunStatus

router = Router(tags=["imports"])


@router.post("/imports", response={200: ImportOut, REFUSALS: Refusal})
def import_runs(request: HttpRequest, body: bodies.Import) -> shapes.Document:
    """Put runs here as they were elsewhere. Those that are there stay as they are, so that it may be sent again."""
    caller = auth.caller(request)
    caller.check_is_a_person()
    workspace = caller.workspace_to_change(body.workspace)
    now = timezone.now()

    made = importing.import_runs(
        experiment=experiments.get_or_create(
            workspace=workspace, name=body.experiment, by=caller.user, at=body.created_utc or now
        ),
        runs=[_tracked(run) for run in body.runs],
        by=caller.user,
        at=now,
        actor=auth.door(request),
    )

    return {"items": _documents([run.run_id for run in body.runs], made)}


@router.post("/imports/properties", response={204: None, REFUSALS: Refusal})
def mark_runs(request: HttpRequest, body: bodies.Marks) -> Status:
    """Add properties to many runs: to all of them or, if one is refused, to none."""
    caller = auth.caller(request)
    runs = [(caller.run_to_change(run_id), properties) for run_id, properties in body.runs.items()]

    with transaction.atomic():
        for run, properties in runs:
            tagging.add_properties(run=run, properties=properties)

    return Status(204, None)


@router.post("/imports/counts", response={200: CountsOut, REFUSALS: Refusal})
def count_runs(request: HttpRequest, body: bodies.Imported) -> shapes.Document:
    """Count what there is of some runs. Those that are not there, or not yours to see, count as nothing."""
    caller = auth.caller(request)

    return importing.count(caller.runs(Run.objects.visible_to(caller.user)).filter(run_id__in=body.run_ids))


def _documents(run_ids: list[str], made: list[Run]) -> list[shapes.Document]:
    fresh = {run.run_id for run in made}
    runs = Run.objects.filter(run_id__in=run_ids)
    parents = dict(runs.values_list("run_id", "parent__run_id"))
    properties: dict[str, dict[str, str]] = defaultdict(dict)
    for run_id, key, value in Property.objects.filter(run__in=runs).values_list("run__run_id", "key", "value"):
        properties[run_id][key] = value
    return [
        {
            "run_id": run_id,
            "is_new": run_id in fresh,
            "parent_run_id": parents[run_id],
            "properties": properties[run_id],
        }
        for run_id in run_ids
    ]


def _tracked(run: bodies.TrackedRun) -> importing.Tracked:
    return importing.Tracked(
        run_id=run.run_id,
        status=RunStatus(run.status),
        started_at=run.started_utc,
        ended_at=run.ended_utc,
        parent_run_id=run.parent_run_id,
        display_name=run.display_name,
        description=run.description,
        tags=run.tags,
        properties=run.properties,
        params=run.params,
    )
