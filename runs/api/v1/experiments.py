"""Experiments, and the interactive runs that are started in one."""

from typing import Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Header, Router, Status

from runs import shapes
from runs.actions import experiments, submission
from runs.api.v1 import auth, bodies
from runs.api.v1.answers import REFUSALS, ExperimentOut, Page, Refusal, RunOut
from runs.models import Experiment
from runs.search import paging

router = Router(tags=["experiments"])

# In an address, `/` in a name is written ~2F and `~` is ~7E.
_ONE = "/experiments/{experiment:name}"


@router.get("/experiments", response={200: Page[ExperimentOut], REFUSALS: Refusal})
def list_experiments(
    request: HttpRequest,
    workspace: str = "",
    name: str = "",
    view: Literal["active", "archived", "all"] = "active",
    order: str = "-submitted",
    cursor: str = "",
    limit: int = 50,
) -> shapes.Document:
    """List experiments, the latest submission first; `name` finds those whose names hold it."""
    caller = auth.caller(request)
    queryset = Experiment.objects.filter(workspace=caller.workspace(workspace))
    if caller.own_run is not None:
        queryset = queryset.filter(pk=caller.own_run.experiment_id)
    if view != "all":
        queryset = queryset.archived() if view == "archived" else queryset.active()
    if name:
        queryset = queryset.filter(name__icontains=name)
    page = paging.paginate(queryset, order=order, cursor=cursor, limit=limit, orders=paging.EXPERIMENT_ORDERS)

    return {"items": shapes.experiment_documents(page.items), "next": page.next or None}


@router.post("/experiments", response={200: ExperimentOut, REFUSALS: Refusal})
def make_experiment(request: HttpRequest, body: bodies.NewExperiment) -> shapes.Document:
    """Make an experiment, or find it if it is there."""
    caller = auth.caller(request)
    caller.check_is_a_person()
    workspace = caller.workspace_to_change(body.workspace)
    now = timezone.now()

    experiment = experiments.get_or_create(workspace=workspace, name=body.name, by=caller.user, at=now)
    if body.description is not None or body.tags:
        experiments.describe(experiment=experiment, description=body.description, tags=body.tags)

    return _document(experiment)


@router.get(_ONE, response={200: ExperimentOut, REFUSALS: Refusal})
def show_experiment(request: HttpRequest, name: str, workspace: str = "") -> shapes.Document:
    """Show an experiment."""
    caller = auth.caller(request)

    return _document(caller.experiment(caller.workspace(workspace), name))


@router.patch(_ONE, response={200: ExperimentOut, REFUSALS: Refusal})
def change_experiment(
    request: HttpRequest, name: str, body: bodies.ExperimentChanges, workspace: str = ""
) -> shapes.Document:
    """Change the description and the tags of an experiment."""
    experiment = _to_change(request, workspace, name)

    experiments.describe(
        experiment=experiment, description=body.description, tags=body.tags, remove_tags=body.remove_tags
    )

    return _document(experiment)


@router.post(_ONE + "/archive", response={200: ExperimentOut, REFUSALS: Refusal})
def archive_experiment(request: HttpRequest, name: str, workspace: str = "") -> shapes.Document:
    """Hide an experiment from lists."""
    experiment = _to_change(request, workspace, name)

    experiments.archive(experiment=experiment, by=auth.caller(request).user, at=timezone.now())

    return _document(experiment)


@router.post(_ONE + "/restore", response={200: ExperimentOut, REFUSALS: Refusal})
def restore_experiment(request: HttpRequest, name: str, workspace: str = "") -> shapes.Document:
    """Show an experiment in lists again."""
    experiment = _to_change(request, workspace, name)

    experiments.restore(experiment=experiment, by=auth.caller(request).user, at=timezone.now())

    return _document(experiment)


@router.post(_ONE + "/interactive-runs", response={201: RunOut, REFUSALS: Refusal}, tags=["runs"])
def start_interactive_run(
    request: HttpRequest,
    name: str,
    body: bodies.Interactive,
    idempotency_key: str = Header("", alias="Idempotency-Key"),
) -> Status:
    """Start a run that its client drives: it is Running until it is completed, failed or canceled.

    The same `Idempotency-Key` with the same request returns the same run.
    """
    caller = auth.caller(request)
    workspace = caller.workspace_to_change(body.workspace)
    parent = caller.parent(body.parent_run_id)
    now = timezone.now()

    experiment = experiments.get_or_create(workspace=workspace, name=name, by=caller.user, at=now)
    run = submission.start_interactive(
        experiment=experiment,
        by=caller.user,
        at=now,
        parent=parent,
        run_id=body.run_id,
        display_name=body.display_name,
        description=body.description,
        tags=body.tags,
        properties=body.properties,
        idempotency_key=idempotency_key,
        actor=auth.door(request),
    )

    return Status(201, shapes.run_document(run))


def _to_change(request: HttpRequest, workspace: str, name: str) -> Experiment:
    caller = auth.caller(request)
    caller.check_is_a_person()
    return caller.experiment(caller.workspace_to_change(workspace), name)


def _document(experiment: Experiment) -> shapes.Document:
    return shapes.experiment_documents([experiment])[0]
