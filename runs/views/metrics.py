"""Numbers for Prometheus, read from the rows with a fixed number of queries."""

import threading
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db.models import Count, Max, Min, Q, Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client import Counter as CounterMetric

from runs.actions import tokens
from runs.errors import RunsError
from runs.models import Attempt, ComputeTarget, Run, RunEvent, StatusCount, Worker
from runs.status import TERMINAL, RunStatus

_START_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
_CANCEL_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
# A transaction that is older than this when it commits leaves an event that is not counted.
_SETTLING = timedelta(seconds=3)
_EVENTS_A_SCRAPE = 50_000


@require_safe
@never_cache
@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer administrators only: by session, or with `Authorization: Bearer` and an API token of one.

    Not everybody on loopback: behind a reverse proxy on this machine the whole world is.
    """
    now = timezone.now()
    if not _is_administrator(request, now):
        headers = {"WWW-Authenticate": 'Bearer realm="studio"'}
        return HttpResponse("Send an API token of an administrator.\n", "text/plain", 401, headers=headers)

    registry = CollectorRegistry()
    _gauge_runs(registry, now)
    _gauge_workers(registry, now)
    _events.read(now)

    return HttpResponse(generate_latest(registry) + _events.text(), content_type=CONTENT_TYPE_LATEST)


def _is_administrator(request: HttpRequest, now: datetime) -> bool:
    if request.user.is_authenticated:
        return bool(request.user.is_superuser)
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    try:
        token = tokens.authenticate(secret.strip(), at=now) if scheme.lower() == "bearer" else None
    except RunsError:
        return False
    # That of a run acts for its submitter, on this run only.
    return token is not None and token.run is None and token.user.is_superuser


def _gauge_runs(registry: CollectorRegistry, now: datetime) -> None:
    runs = Gauge("studio_runs", "Runs by status.", ["status"], registry=registry)
    counted = dict(StatusCount.objects.values_list("status").annotate(Sum("count")))
    for status in RunStatus:
        runs.labels(status.value).set(counted.get(status.value, 0))

    slots = _by_target("studio_slots", "Slots of an enabled compute target.", registry)
    taken = _by_target("studio_slots_taken", "Slots of a compute target that runs hold.", registry)
    queued = _by_target("studio_queued_runs", "Runs that wait at a compute target.", registry)
    longest = _by_target("studio_queue_wait_seconds", "How long the longest waiting run has waited.", registry)
    names = {}
    for pk, name, count, is_enabled in ComputeTarget.objects.values_list("pk", "name", "slots", "is_enabled"):
        names[pk] = name
        slots.labels(name).set(count if is_enabled else 0)
        for gauge in (taken, queued, longest):
            gauge.labels(name).set(0)
    live = Attempt.objects.holding(at=now).filter(compute_target__in=names).values_list("compute_target_id")
    for pk, count in live.annotate(Count("pk")).order_by():
        taken.labels(names[pk]).set(count)
    is_due = Q(not_before__isnull=True) | Q(not_before__lte=now)
    waiting = Run.objects.filter(status=RunStatus.QUEUED, compute_target__in=names).values_list("compute_target_id")
    for pk, count, since in waiting.annotate(Count("pk"), since=Min("queued_at", filter=is_due)).order_by():
        queued.labels(names[pk]).set(count)
        if since is not None:
            longest.labels(names[pk]).set(max(0.0, (now - since).total_seconds()))


def _gauge_workers(registry: CollectorRegistry, now: datetime) -> None:
    workers = _by_target("studio_workers", "Live workers that serve a compute target.", registry)
    hintless = Gauge("studio_workers_without_broker", "Live workers that poll for want of a broker.", registry=registry)
    served: Counter[str] = Counter()
    for names, has_broker in Worker.objects.alive(at=now).values_list("targets", "has_broker"):
        served.update(names)
        hintless.inc(not has_broker)
    for name, count in served.items():
        workers.labels(name).set(count)


def _by_target(name: str, description: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(name, description, ["compute_target"], registry=registry)


class _Events:
    """What has happened since this process was asked first: each event is read once, so a scrape stays short."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._registry = CollectorRegistry()
        self._read_up_to: int | None = None
        self._ended = CounterMetric("studio_runs_ended", "Runs that ended.", ["status"], registry=self._registry)
        self._lost = CounterMetric(
            "studio_leases_lost", "Attempts whose supervisor fell silent.", registry=self._registry
        )
        self._start = Histogram(
            "studio_start_seconds", "From Queued to Running.", buckets=_START_BUCKETS, registry=self._registry
        )
        self._cancel = Histogram(
            "studio_cancel_seconds", "From the wish to Canceled.", buckets=_CANCEL_BUCKETS, registry=self._registry
        )
        for status in sorted(TERMINAL):
            self._ended.labels(status.value)

    def read(self, now: datetime) -> None:
        """Count the events since the last time."""
        with self._lock:
            if self._read_up_to is None:
                self._read_up_to = RunEvent.objects.aggregate(latest=Max("pk"))["latest"] or 0
                return
            fresh = RunEvent.objects.filter(pk__gt=self._read_up_to, at__lt=now - _SETTLING).order_by("pk").values(
                *("pk", "from_status", "to_status", "at", "actor", "attempt_number"),
                *("run__queued_at", "run__not_before", "run__cancel_requested_at"),
            )[:_EVENTS_A_SCRAPE]  # fmt: skip
            for event in fresh:
                self._count(event)
                self._read_up_to = event["pk"]

    def text(self) -> bytes:
        """Return the counts as Prometheus reads them."""
        return generate_latest(self._registry)

    def _count(self, event: dict[str, Any]) -> None:
        to, origin = event["to_status"], event["from_status"]
        if to in TERMINAL:
            self._ended.labels(to).inc()
        if to == RunStatus.RUNNING and origin == RunStatus.STARTING:
            due = max(filter(None, [event["run__queued_at"], event["run__not_before"]]), default=event["at"])
            self._start.observe(max(0.0, (event["at"] - due).total_seconds()))
        if to == RunStatus.CANCELED and event["run__cancel_requested_at"]:
            self._cancel.observe(max(0.0, (event["at"] - event["run__cancel_requested_at"]).total_seconds()))
        # What the reaper does to a run that was NotResponding already was counted before.
        if event["actor"] == "reaper" and event["attempt_number"] and origin != RunStatus.NOT_RESPONDING:
            self._lost.inc()


_events = _Events()
