"""What runs in the children of `manage.py up`: the web server, the Celery worker and beat."""

import http.client
import logging
import os
import socket
import warnings
from importlib import import_module

from celery import current_app
from celery.platforms import SecurityWarning
from django.conf import settings
from django.urls import get_resolver

from runs.execution import kernel, launcher, supervisor

# Requests are short; an upload holds one of these for as long as it takes.
_WEB_THREADS = min(8, 2 * (os.cpu_count() or 1) + 1)


_SHARED = (
    *("celery.apps.beat", "celery.apps.worker", "celery.concurrency.thread", "celery.worker.consumer"),
    *("celery.worker.control", "celery.worker.pidbox", "celery.worker.strategy", "kombu.transport.redis"),
    "studio.worker",
    "runs.execution.agent",
)


def load() -> None:
    """Load what the named parts have in common, so that the children forked from here share it.

    Not the pages: of those that are forked for each run, everybody would carry them along.
    """
    for module in _SHARED:
        import_module(module)
    # Celery would run Django's checks again in each child, and load templates and all for them.
    os.environ["CELERY_SKIP_CHECKS"] = "1"
    current_app.loader.import_default_modules()
    current_app.finalize()
    supervisor.load()


def load_pages() -> None:
    """Load all that pages are made of, and let the garbage collector leave it alone.

    A full collection looks at every object that is not frozen: with the pages among them, one request
    in sixty took 0.1 s of processor time longer.
    """
    import_module("studio.wsgi")
    _ = get_resolver().url_patterns
    kernel.tidy_memory()


def run_web(host: str, port: int) -> None:
    """Serve the pages and the API until told to stop."""
    # Here, as what is forked for each run would carry them along; and before the server forks the process that answers.
    load_pages()
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.log import LogLevels

    Granian(
        "studio.wsgi:application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=_WEB_THREADS,
        websockets=False,
        http=HTTPModes.http1,
        log_level=LogLevels.info if _level() <= logging.INFO else LogLevels.warning,
        workers_kill_timeout=1,
    ).serve()


def run_worker() -> None:
    """Serve the compute targets until told to stop."""
    # Before Celery starts its threads.
    launcher.fork()
    # `up` warns of this itself, in one line.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    worker = current_app.Worker(
        pool_cls="threads",
        # Several workers may serve one machine, and a restart is a new worker.
        hostname=f"studio-{os.getpid()}@{socket.gethostname()}",
        loglevel=_level(),
        quiet=True,
        without_gossip=True,
        without_mingle=True,
    )
    worker.start()
    raise SystemExit(worker.exitcode)


def run_beat() -> None:
    """Send the periodic tasks until told to stop."""
    current_app.Beat(schedule=settings.CELERY_BEAT_SCHEDULE_FILENAME, loglevel=_level(), quiet=True).run()


def answers(host: str, port: int) -> bool:
    """Return whether a web server answers there, whatever it says."""
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status > 0
    except OSError:
        return False
    finally:
        connection.close()


def _level() -> int:
    return logging.getLogger().level
