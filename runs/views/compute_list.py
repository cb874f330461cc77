"""The compute targets: slots, what runs and waits on them, and the workers that serve them."""

from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from runs.models import Attempt, ComputeTarget, Run, Worker, Workspace
from runs.status import RunStatus
from runs.views import live
from runs.views.request import SignedInRequest


@dataclass
class TargetRow:
    """One compute target as the page shows it. `hidden_count` runs are in workspaces that are not the reader's."""

    target: ComputeTarget
    queued_count: int = 0
    runs: list[Run] = field(default_factory=list)
    hidden_count: int = 0
    # Of the runs, those whose scripts only wait: their slots are free meanwhile.
    lent_count: int = 0
    workers: list[Worker] = field(default_factory=list)

    @property
    def running_count(self) -> int:
        """Return how many runs run, those that lend their slots included."""
        return len(self.runs) + self.hidden_count

    @property
    def busy_count(self) -> int:
        """Return how many slots are taken."""
        return self.running_count - self.lent_count

    @property
    def is_unserved(self) -> bool:
        """Return whether runs would wait here forever as things are."""
        return self.target.is_enabled and not self.workers

    @property
    def start_command(self) -> str:
        """Return the command that starts a worker for it."""
        return f"python manage.py up --only worker --targets {self.target.name}"


@require_GET
def compute_list(request: SignedInRequest) -> HttpResponse:
    """Show all compute targets. They are shared, but the runs on them are shown to members only."""
    rows = {target.name: TargetRow(target) for target in ComputeTarget.objects.order_by("-is_enabled", "name")}
    workers = list(Worker.objects.alive(at=timezone.now()).order_by("host", "pid"))
    for worker in workers:
        for name in worker.targets:
            if name in rows:
                rows[name].workers.append(worker)
    queued = Run.objects.filter(status=RunStatus.QUEUED, compute_target__isnull=False)
    for name, count in queued.values_list("compute_target__name").annotate(Count("pk")):
        rows[name].queued_count = count
    _add_current_runs(request, rows, timezone.now())

    version = live.version_of(
        [
            (
                row.target.pk,
                row.target.slots,
                row.target.is_enabled,
                row.queued_count,
                [(r.pk, r.status) for r in row.runs],
                row.hidden_count,
                row.lent_count,
            )
            for row in rows.values()
        ],
        [(worker.pk, worker.heartbeat_at, worker.has_broker, worker.refusal) for worker in workers],
    )
    context = {
        "nav": "compute",
        "rows": list(rows.values()),
        "has_workers": bool(workers),
        "lacks_broker": any(not worker.has_broker for worker in workers),
        "poll_seconds": live.BUSY_SECONDS,
        "version": version,
    }
    return live.respond(request, "compute/compute_list.html", context, fragment="targets", version=version)


def _add_current_runs(request: SignedInRequest, rows: dict[str, TargetRow], at: datetime) -> None:
    own = set(Workspace.objects.visible_to(request.user).values_list("pk", flat=True))
    # By target and without an order or a join: so the index of live attempts serves, however many have ended.
    targets = {row.target.pk: row for row in rows.values()}
    held = Attempt.objects.live().filter(compute_target__in=targets)
    target_of = {}
    for target_id, run_id, lent_until in held.values_list("compute_target_id", "run_id", "lent_until"):
        target_of[run_id] = targets[target_id]
        targets[target_id].lent_count += lent_until is not None and lent_until > at
    for run in Run.objects.filter(pk__in=target_of).select_related("experiment", "workspace").order_by("pk"):
        if run.workspace_id in own:
            target_of[run.pk].runs.append(run)
        else:
            target_of[run.pk].hidden_count += 1
