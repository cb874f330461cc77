"""What may be wrong with an installation: each check looks at one thing and says what to do. Changes nothing."""

import http.client
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlsplit

import psutil
import redis
from django.conf import settings
from django.core import checks
from django.db import DatabaseError, connection
from django.utils import timezone

from runs.execution import host, outcome, process
from runs.management import firstrun
from runs.models import Attempt, ComputeTarget, Worker

OK, WARNING, ERROR = "ok", "warning", "error"

_TIMEOUT_SECONDS = 3
_SLOW_BROKER_SECONDS = 0.1
_DISK_FRACTION = 0.1
_DISK_BYTES = 2**30
_SKEW_SECONDS, _BAD_SKEW_SECONDS = 1.0, 5.0
_POSTGRES = 140000
_NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "ceph", "glusterfs"}


@dataclass(frozen=True)
class Finding:
    """What a check saw; `advice` says what to do about it, and is empty where all is well."""

    check: str
    level: str
    text: str
    advice: str = ""


def examine() -> Iterator[Finding]:
    """Make all checks. One that breaks is an error of its own, and the others go on."""
    for name, check in CHECKS.items():
        try:
            for level, text, advice in check():
                yield Finding(name, level, text, advice)
        except DatabaseError as error:
            text = str(error).strip().splitlines()[0]
            yield Finding(name, ERROR, f"The database refuses: {text}", "Look at `database` first.")
        except Exception as error:
            yield Finding(name, ERROR, f"The check itself broke: {error!r}", "Report this as a bug.")


Row = tuple[str, str, str]


def _settings() -> Iterator[Row]:
    found = [issue for issue in checks.run_checks(include_deployment_checks=True) if not issue.is_silenced()]
    for issue in found:
        level = ERROR if issue.level >= checks.ERROR else WARNING
        yield level, f"{issue.id}: {issue.msg}", str(issue.hint or "")
    if settings.DEBUG:
        yield ERROR, "STUDIO_DEBUG is on: error pages show source code and settings.", "Unset it."
    if not found:
        yield OK, "No complaint from Django's own checks for deployments.", ""


def _database() -> Iterator[Row]:
    connection.ensure_connection()
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA journal_mode")
            (mode,) = cursor.fetchone()
            if mode != "wal":
                yield ERROR, f"SQLite journals by {mode}: writers lock readers out.", "Move it to a local disk."
            elif (kind := _file_system()) in _NETWORK_FILE_SYSTEMS:
                yield ERROR, f"The SQLite file lies on {kind}, whose locks it cannot trust.", "Use PostgreSQL."
            else:
                yield OK, "SQLite in WAL mode, for one machine.", ""
            return
        cursor.execute("SHOW server_version_num")
        (version,) = cursor.fetchone()
        cursor.execute(
            "SELECT current_setting('max_connections')::int, (SELECT count(*) FROM pg_stat_activity),"
            " current_setting('fsync'), EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm')"
        )
        most, used, fsync, has_trigrams = cursor.fetchone()
    name = f"PostgreSQL {int(version) // 10000}"
    problems = [
        (int(version) < _POSTGRES, WARNING, f"{name} is older than what is tested.", "Upgrade to 14 or newer."),
        (fsync == "off", ERROR, "fsync is off: a power cut loses committed runs.", "Set fsync = on."),
        (not has_trigrams, WARNING, "pg_trgm is missing: searching words is slow.", "CREATE EXTENSION pg_trgm."),
        (used > 0.8 * most, WARNING, f"{used} of {most} connections are taken.", "Raise max_connections."),
    ]
    faults = [(level, text, advice) for is_so, level, text, advice in problems if is_so]
    yield from faults or [(OK, f"{name}, {used} of {most} connections taken.", "")]


def _file_system() -> str:
    """Return the kind of file system that STUDIO_HOME lies on."""
    mounts = [part for part in psutil.disk_partitions(all=True) if settings.STUDIO_HOME.is_relative_to(part.mountpoint)]
    return max(mounts, key=lambda part: len(part.mountpoint)).fstype if mounts else ""


def _migrations() -> Iterator[Row]:
    if firstrun.needs_migration():
        yield ERROR, "The database is not at this version.", "Run `manage.py migrate`, or start `up --only web`."
    else:
        yield OK, "The database is at this version.", ""


def _broker() -> Iterator[Row]:
    url = settings.REDIS_URL
    if settings.STUDIO_BROKER_IS_EMBEDDED:
        url = f"unix://{quote(str(settings.STUDIO_BROKER_SOCKET))}"
    client = redis.Redis.from_url(url, socket_timeout=_TIMEOUT_SECONDS, socket_connect_timeout=_TIMEOUT_SECONDS)
    try:
        with client:
            client.ping()
            started = time.monotonic()
            client.ping()
            seconds = time.monotonic() - started
            policy = client.info("memory").get("maxmemory_policy", "noeviction")
    except (redis.RedisError, OSError) as error:
        where = "`manage.py up`" if settings.STUDIO_BROKER_IS_EMBEDDED else "the server that REDIS_URL names"
        yield ERROR, f"The broker does not answer ({error}). Runs start, but later.", f"Start {where}."
        return
    if policy != "noeviction":
        yield WARNING, f"The broker drops keys when it is full ({policy}).", "Set maxmemory-policy noeviction."
    if seconds > _SLOW_BROKER_SECONDS:
        yield WARNING, f"The broker takes {seconds:.2f} s to answer.", "Look at its load and the way to it."
    if policy == "noeviction" and seconds <= _SLOW_BROKER_SECONDS:
        yield OK, f"The broker answers in {1000 * seconds:.1f} ms.", ""


def _workers() -> Iterator[Row]:
    workers = list(Worker.objects.alive(at=host.now()).order_by("host", "pid"))
    served = {name for worker in workers for name in worker.targets}
    unserved = list(ComputeTarget.objects.enabled().exclude(name__in=served).order_by("name"))
    for target in unserved:
        advice = f"Run `manage.py up --only worker --targets {target.name}`, or disable it."
        yield ERROR, f"No live worker serves the compute target {target.name}: its runs wait.", advice
    for worker in workers:
        if not worker.has_broker:
            yield WARNING, f"The worker {worker} has no broker: it polls.", "Look at REDIS_URL on its machine."
    if workers:
        yield OK, f"{len(workers)} live workers serve {', '.join(sorted(served)) or 'nothing'}.", ""
    elif not unserved:
        yield WARNING, "No compute target is enabled: no run can start.", "Enable one, or make one: `compute_target`."


def _attempts() -> Iterator[Row]:
    silent = Attempt.objects.live().filter(lease_until__lt=host.now()).count()
    if silent:
        advice = "Look for workers that are down; a live one settles what its own machine lost."
        yield WARNING, f"{silent} attempts are silent: nobody renews their leases.", advice
    if spooled := len(list(outcome.spooled())):
        advice = "They settle by themselves once database and web server answer; see log/supervisors.log."
        yield WARNING, f"{spooled} attempts of this machine have ended, but could not say so yet.", advice
    if not silent and not spooled:
        yield OK, "No attempt is silent.", ""


def _kill_tier() -> Iterator[Row]:
    tier = process.strongest_tier()
    if tier is process.Tier.NAMESPACE:
        yield OK, "Scripts run in a process namespace of their own: the kernel kills all of them.", ""
    elif tier is process.Tier.CGROUP:
        yield (
            OK,
            "Scripts run in a control group of their own: the kernel kills all who do not leave it.",
            "",
        )
    else:
        advice = "Run workers as root, allow user namespaces (sysctl user.max_user_namespaces), or set Delegate=yes."
        yield WARNING, f"This machine kills scripts by {tier}: a fork storm may outrun that.", advice


def _disk() -> Iterator[Row]:
    usage = shutil.disk_usage(settings.STUDIO_HOME)
    text = f"{usage.free / 2**30:.1f} GiB of {usage.total / 2**30:.1f} GiB are free in {settings.STUDIO_HOME}."
    if usage.free < _DISK_BYTES:
        yield ERROR, text, "Make room: logs and outputs are lost when it is full."
    elif usage.free < _DISK_FRACTION * usage.total:
        yield WARNING, text, "Make room soon."
    else:
        yield OK, text, ""
    if stat.S_IMODE(settings.STUDIO_HOME.stat().st_mode) & 0o077:
        yield WARNING, f"Others may enter {settings.STUDIO_HOME}.", f"chmod 700 {settings.STUDIO_HOME}"


def _clock() -> Iterator[Row]:
    if connection.vendor == "sqlite":
        yield OK, "The database has this machine's clock.", ""
        return
    # The quickest of a few answers: what a slow one takes would count as a difference.
    _, skew = min(_ask_the_time() for _ in range(3))
    text = f"This clock and the database's are {skew:.2f} s apart."
    if skew > _SKEW_SECONDS:
        level = ERROR if skew > _BAD_SKEW_SECONDS else WARNING
        yield level, text, "Run NTP (chrony or systemd-timesyncd) on both."
    else:
        yield OK, text, ""


def _ask_the_time() -> tuple[float, float]:
    """Return how long the database took to say its time, and how far that is from this clock."""
    before = timezone.now()
    at = host.now()
    took = timezone.now() - before
    return took.total_seconds(), abs((at - before - took / 2).total_seconds())


def _bytes() -> Iterator[Row]:
    if settings.STUDIO_STORAGE == "files":
        yield OK, f"Logs and files lie in {settings.STUDIO_HOME}.", ""
        return
    address = urlsplit(settings.STUDIO_URL)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    link = kind(address.hostname or "", address.port, timeout=_TIMEOUT_SECONDS)
    try:
        link.request("GET", f"{address.path}/healthz")
        answer = link.getresponse()
        date, status = answer.headers.get("Date"), answer.status
    except (OSError, http.client.HTTPException) as error:
        yield ERROR, f"{settings.STUDIO_URL} does not answer: {error!r}", "Set STUDIO_URL to the web server's address."
        return
    finally:
        link.close()
    if status != 200:
        yield ERROR, f"{settings.STUDIO_URL}/healthz answers {status}.", "Look at STUDIO_URL and the reverse proxy."
    elif address.scheme == "http" and address.hostname not in ("127.0.0.1", "::1", "localhost"):
        yield WARNING, f"Logs and tokens go to {settings.STUDIO_URL} unencrypted.", "Put TLS before it."
    else:
        yield OK, f"Logs and files go to {settings.STUDIO_URL}.", ""
    if date and abs((parsedate_to_datetime(date) - timezone.now()).total_seconds()) > _BAD_SKEW_SECONDS:
        yield WARNING, "The web server's clock is off from this one by seconds.", "Run NTP on both."


CHECKS: dict[str, Callable[[], Iterator[Row]]] = {
    "settings": _settings,
    "database": _database,
    "migrations": _migrations,
    "broker": _broker,
    "workers": _workers,
    "attempts": _attempts,
    "kill tier": _kill_tier,
    "disk": _disk,
    "clock": _clock,
    "bytes": _bytes,
}
