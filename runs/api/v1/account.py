"""Who asks, and the rooms they may enter: me, workspaces, compute targets, workers."""

from collections import Counter

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router

from runs import shapes
from runs.actions import hand_over
from runs.api.v1 import auth, bodies
from runs.api.v1.answers import REFUSALS, ComputeTargetOut, LoginOut, MeOut, Page, Refusal, WorkerOut, WorkspaceOut
from runs.errors import NotFound
from runs.models import Attempt, ComputeTarget, Membership, Role, Run, Worker, Workspace
from runs.search import paging
from runs.status import RunStatus

router = Router(tags=["account"])


@router.get("/me", response={200: MeOut, REFUSALS: Refusal})
def me(request: HttpRequest) -> shapes.Document:
    """Show who the token speaks for."""
    caller = auth.caller(request)
    try:
        default = caller.workspace("").name
    except NotFound:
        default = None

    return {
        "username": caller.user.get_username(),
        "is_admin": caller.user.is_superuser,
        "run_id": caller.own_run.run_id if caller.own_run else None,
        "default_workspace": default,
        "token": {
            "name": caller.token.name,
            "prefix": caller.token.prefix,
            "created_utc": shapes.instant(caller.token.created_at),
            "expires_utc": shapes.instant(caller.token.expires_at),
        },
    }


@router.post("/login", response={200: LoginOut, REFUSALS: Refusal}, auth=None)
def log_in(request: HttpRequest, response: HttpResponse, body: bodies.LoginExchange) -> shapes.Document:
    """Turn the code that a browser handed over (`studio login`) into an API token. A code works once."""
    token, secret = hand_over.exchange(code=body.code, verifier=body.verifier, at=timezone.now())

    response["Cache-Control"] = "no-store"
    return {"token": secret, "username": token.user.get_username(), "expires_utc": shapes.instant(token.expires_at)}


@router.get("/workspaces", response={200: Page[WorkspaceOut], REFUSALS: Refusal})
def list_workspaces(request: HttpRequest, cursor: str = "", limit: int = 100) -> shapes.Document:
    """List the workspaces of which one is a member, the default first."""
    caller = auth.caller(request)
    queryset = Workspace.objects.visible_to(caller.user)
    if caller.own_run is not None:
        queryset = queryset.filter(pk=caller.own_run.workspace_id)
    page = paging.paginate(queryset, order="created", cursor=cursor, limit=limit, orders={"created": "id"})
    held = dict(
        Membership.objects.filter(user=caller.user, workspace__in=page.items).values_list("workspace_id", "role")
    )

    everywhere = Role.OWNER if caller.user.is_superuser else None
    items = [shapes.workspace_document(item, everywhere or held.get(item.pk)) for item in page.items]
    return {"items": items, "next": page.next or None}


@router.get("/compute-targets", response={200: Page[ComputeTargetOut], REFUSALS: Refusal}, tags=["compute"])
def list_compute_targets(request: HttpRequest, cursor: str = "", limit: int = 100) -> shapes.Document:
    """List the places to run, with how busy they are."""
    page = paging.paginate(
        ComputeTarget.objects.all(), order="name", cursor=cursor, limit=limit, orders={"name": "name"}
    )
    running = dict(
        Attempt.objects.live().values("compute_target").annotate(n=Count("id")).values_list("compute_target", "n")
    )
    waiting = Run.objects.filter(status=RunStatus.QUEUED).values("compute_target").annotate(n=Count("id"))
    queued = dict(waiting.values_list("compute_target", "n"))
    served = Worker.objects.alive(at=timezone.now()).values_list("targets", flat=True)
    workers = Counter(name for names in served for name in names)

    items = [
        shapes.compute_target_document(
            target, running=running.get(target.pk, 0), queued=queued.get(target.pk, 0), workers=workers[target.name]
        )
        for target in page.items
    ]
    return {"items": items, "next": page.next or None}


@router.get("/workers", response={200: Page[WorkerOut], REFUSALS: Refusal}, tags=["compute"])
def list_workers(request: HttpRequest, cursor: str = "", limit: int = 100) -> shapes.Document:
    """List worker processes, the latest heartbeat first."""
    auth.caller(request).check_is_a_person()
    page = paging.paginate(
        Worker.objects.all(), order="-heartbeat", cursor=cursor, limit=limit, orders={"heartbeat": "heartbeat_at"}
    )
    now = timezone.now()

    return {
        "items": [shapes.worker_document(item, is_alive=item.is_alive(at=now)) for item in page.items],
        "next": page.next or None,
    }
