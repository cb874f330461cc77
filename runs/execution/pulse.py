"""The supervisor's thread that talks to the database while the script runs.

It renews the lease, sees a cancel, and says that the run is Running. It is a thread of
its own so that a database that is locked or frozen delays neither the script's output
nor its deadline.
"""

import logging
import os
import threading
import time
from contextlib import suppress
from copy import copy
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connections, transaction

from runs import lifecycle
from runs.execution import host
from runs.models import Attempt, Run
from runs.outage import NO_DATABASE
from runs.status import CLAIMED, RunStatus

logger = logging.getLogger(__name__)


class Fenced(Exception):
    """The attempt is over as far as the rows know: stop everything, write nothing."""


class ToStop(Exception):
    """The run was asked to stop."""


class Pulse(threading.Thread):
    """One attempt's talk with the database. Its attributes are what it heard."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(name="pulse", daemon=True)
        self.attempt = attempt
        self.is_fenced = False
        self.is_to_stop = False
        self.grace_seconds: float = settings.STUDIO_GRACE_SECONDS
        # Set by the supervisor while its script runs: the rows are brought to say so.
        self.script_runs = False
        # Readable when something was heard.
        self.heard = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._look_now = threading.Event()
        self._is_over = False
        self._reached_at = time.monotonic()
        # The adoption was the first.
        self._renew_at = time.monotonic() + settings.STUDIO_LEASE_SECONDS / 3

    def run(self) -> None:
        """Look every few hundred milliseconds until `stop`."""
        try:
            while True:
                # First, for who adopted the attempt has just looked.
                self._look_now.wait(settings.STUDIO_CANCEL_POLL_SECONDS)
                self._look_now.clear()
                if self._is_over or self.is_fenced:
                    break
                try:
                    self._beat()
                    self._reached_at = time.monotonic()
                except NO_DATABASE as error:
                    logger.warning("Attempt %s cannot reach the database: %s", self.attempt, error)
                    connections.close_all()
                    self._fence_if_replaced()
                except Exception:
                    logger.exception("The pulse of attempt %s missed a beat.", self.attempt)
        finally:
            connections.close_all()

    def look_now(self) -> None:
        """Look at once instead of at the next beat."""
        self._look_now.set()

    def stop(self, *, timeout_seconds: float) -> None:
        """End the thread; a database that does not answer may keep it, and is not waited for."""
        self._is_over = True
        self.script_runs = False
        self._look_now.set()
        self.join(timeout_seconds)

    def check(self) -> None:
        """Raise Fenced or ToStop if that was heard."""
        if self.is_fenced:
            raise Fenced
        if self.is_to_stop:
            raise ToStop

    def _beat(self) -> None:
        row = (
            Attempt.objects.filter(pk=self.attempt.pk)
            .values("ended_at", "run__status", "run__attempt_number", "run__cancel_grace_seconds")
            .first()
        )
        if (
            row is None
            or row["ended_at"] is not None
            or row["run__attempt_number"] != self.attempt.number
            or row["run__status"] not in CLAIMED
        ):
            self._say(is_fenced=True)
            return
        if row["run__status"] == RunStatus.CANCEL_REQUESTED:
            grace = row["run__cancel_grace_seconds"]
            grace = settings.STUDIO_GRACE_SECONDS if grace is None else grace
            if not self.is_to_stop or grace != self.grace_seconds:
                self._say(is_to_stop=True, grace_seconds=grace)
        elif self.script_runs and row["run__status"] in (RunStatus.STARTING, RunStatus.NOT_RESPONDING):
            self._say_running(RunStatus(row["run__status"]))
        if time.monotonic() >= self._renew_at:
            self._renew()

    def _say(self, **heard: Any) -> None:
        for name, value in heard.items():
            setattr(self, name, value)
        os.eventfd_write(self.heard, 1)

    def _say_running(self, status: RunStatus) -> None:
        run = copy(self.attempt.run)  # the other one is the supervisor's
        run.status = status
        reason = "Its supervisor is heard again." if status is RunStatus.NOT_RESPONDING else ""
        with suppress(lifecycle.LostRace, lifecycle.IllegalTransition):
            lifecycle.move(
                run, RunStatus.RUNNING, at=host.now(), reason=reason, actor="supervisor", attempt=self.attempt.number
            )

    def _renew(self) -> None:
        at = host.now()
        with transaction.atomic():
            renewed = (
                Attempt.objects.live()
                .filter(pk=self.attempt.pk)
                .update(lease_until=at + timedelta(seconds=settings.STUDIO_LEASE_SECONDS))
            )
            Run.objects.filter(pk=self.attempt.run_id, attempt_number=self.attempt.number).update(heartbeat_at=at)
        if not renewed:
            self._say(is_fenced=True)
        self._renew_at = time.monotonic() + settings.STUDIO_LEASE_SECONDS / 3

    def _fence_if_replaced(self) -> None:
        """Give up before another attempt may start elsewhere, where the submitter allowed that."""
        if not self.attempt.run.retries_lost_workers:
            return  # nobody will start it again: let it finish, and report late
        silent = time.monotonic() - self._reached_at
        if silent > settings.STUDIO_LEASE_SECONDS + 0.8 * settings.STUDIO_LOST_SECONDS:
            self._say(is_fenced=True)
