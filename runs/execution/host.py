"""This machine and this worker, as rows name them, and the folders that belong to it alone."""

import hashlib
import os
import secrets
import shutil
import socket
import uuid
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils import timezone

from runs.execution import kernel
from runs.models import Attempt

# The row of the worker in this process, once its agent has made it.
worker_id: uuid.UUID | None = None


def name() -> str:
    """Return the machine's name."""
    return socket.gethostname()


def holder() -> str:
    """Return the name under which this process leads at a job."""
    return str(worker_id) if worker_id else f"{name()}:{os.getpid()}"


def boot_id() -> str:
    """Return the word by which processes of this machine, since it started, are told from all others."""
    return kernel.boot_id()


def now() -> datetime:
    """Return the time by the clock that leases are kept by: the database server's, where there is one."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        (at,) = cursor.fetchone()
        return at


def new_nonce() -> str:
    """Return a random word for an attempt's cookie, marked as this installation's."""
    return _mark() + secrets.token_hex(12)


def cookie(attempt: Attempt) -> str:
    """Return what marks each process of an attempt: `<run>.<attempt>.<nonce>`."""
    return f"{attempt.run_id}.{attempt.number}.{attempt.cookie}"


def is_our_cookie(cookie: str) -> bool:
    """Return whether this installation gave out `cookie`; another one on this machine is none of our business."""
    return cookie.rpartition(".")[2].startswith(_mark())


def _mark() -> str:
    return hashlib.sha256(f"cookie:{settings.SECRET_KEY}".encode()).hexdigest()[:8]


def work_folder(attempt: Attempt) -> Path:
    """Return the folder in which an attempt works; it goes when the attempt is settled."""
    return work_root() / f"{attempt.run_id}.{attempt.number}"


def work_root() -> Path:
    """Return the folder of all that attempts work on."""
    return Path(settings.STUDIO_WORK_FOLDER or Path(settings.STUDIO_HOME) / "work")


def refusal() -> str:
    """Return why this machine starts nothing now, in a sentence; empty while it does."""
    floor = settings.STUDIO_DISK_FLOOR_BYTES
    for folder in (Path(settings.STUDIO_HOME), work_root()):
        with suppress(FileNotFoundError):
            free = shutil.disk_usage(folder).free
            if free < floor:
                return (
                    f"The disk of {name()} has {free // 2**20:,} MiB left in {folder}; it starts nothing below"
                    f" {floor // 2**20:,} MiB."
                )
    return ""


def niceness() -> tuple[int, int]:
    """Return by how many steps supervisors are nicer than their worker, and scripts than their supervisors."""
    half = settings.STUDIO_NICE // 2
    return half, settings.STUDIO_NICE - half


def spool_folder() -> Path:
    """Return the folder of outcomes that could not be told to the database yet."""
    return Path(settings.STUDIO_HOME) / "spool"


def environments_folder() -> Path:
    """Return the folder of Python environments made for runs."""
    return Path(settings.STUDIO_HOME) / "environments"


def log_file() -> Path:
    """Return the file into which launchers and supervisors write what goes wrong with themselves."""
    return Path(settings.STUDIO_HOME) / "log" / "supervisors.log"
