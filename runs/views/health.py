"""For load balancers and monitors: is the process up, and can it work? Public, so they say little."""

from urllib.parse import quote

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from runs.models import ComputeTarget, Worker

_BROKER_TIMEOUT_SECONDS = 1


@require_safe
@never_cache
@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer that the web process is up. Touches nothing else."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@never_cache
@login_not_required
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 if runs can be taken and executed now, else 503; `missing` names what keeps them from it."""
    try:
        missing = _targets_without_worker()
    except DatabaseError:
        missing = ["database"]
    if not _has_broker():
        missing.append("broker")

    return JsonResponse({"ready": not missing, "missing": missing}, status=503 if missing else 200)


def _targets_without_worker() -> list[str]:
    """Return a phrase for each enabled compute target that no live worker serves."""
    served = {
        name for names in Worker.objects.alive(at=timezone.now()).values_list("targets", flat=True) for name in names
    }
    names = ComputeTarget.objects.enabled().order_by("name").values_list("name", flat=True)
    return [f"a live worker for the compute target {name}" for name in names if name not in served]


def _has_broker() -> bool:
    """Return whether the broker answers. Without it workers poll: slower by a second, and worth a look."""
    url = settings.REDIS_URL
    if settings.STUDIO_BROKER_IS_EMBEDDED:
        url = f"unix://{quote(str(settings.STUDIO_BROKER_SOCKET))}"
    client = redis.Redis.from_url(
        url, socket_timeout=_BROKER_TIMEOUT_SECONDS, socket_connect_timeout=_BROKER_TIMEOUT_SECONDS
    )
    try:
        with client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False
