"""The worker's own thread: says that it lives, looks for work by itself, settles what is silent.

It needs no broker. Through hints runs start a moment sooner; without them it finds the
same rows itself, once a second. Knows nothing of Celery but a `Consumers` to talk to.
"""

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Protocol

from django.conf import settings
from django.db import connections

from runs import dispatch
from runs.execution import bell, claim, host, housekeeping, launcher, leftovers, reaper
from runs.models import ComputeTarget, Worker
from runs.outage import NO_DATABASE
from runs.pipelines import schedule

logger = logging.getLogger(__name__)

_HEARTBEAT_SECONDS = 5.0
_CLEAN_UP_LEASES = 2


class Consumers(Protocol):
    """The worker's hold on its queues."""

    def serve(self, compute_target_names: Iterable[str]) -> None:
        """Listen to the queues of these compute targets, and of no others."""

    def has_broker(self) -> bool:
        """Return whether hints can arrive."""


class Agent(threading.Thread):
    """The thread. `close` ends it and leaves running scripts running."""

    def __init__(self, consumers: Consumers) -> None:
        super().__init__(name="agent", daemon=True)
        self._consumers = consumers
        self._kill_tier = ""
        self._is_over = threading.Event()
        self._id = uuid.uuid4()
        self._served: set[int] = set()
        self._duties: list[_Duty] = [
            _Duty(self._beat, min(_HEARTBEAT_SECONDS, settings.STUDIO_LEASE_SECONDS / 3)),
            _Duty(leftovers.clean_up, _CLEAN_UP_LEASES * settings.STUDIO_LEASE_SECONDS),
            _Duty(lambda: reaper.reap(holder=host.holder(), at=host.now()), reaper.tick_seconds()),
            _Duty(lambda: schedule.advance_active(at=host.now()), reaper.tick_seconds()),
            _Duty(self._take_work, settings.STUDIO_POLL_SECONDS),
            _Duty(housekeeping.begin, housekeeping.EVERY_SECONDS),
        ]

    def run(self) -> None:
        """Do each duty when its time has come, until `close`."""
        try:
            self._kill_tier = launcher.warm_up()
        except OSError:
            logger.exception("The launcher does not start; supervisors start more slowly without it.")
        bell.answer(self._answer)
        while not self._is_over.is_set():
            for duty in self._duties:
                if not self._is_over.is_set():
                    duty.do_when_due()
            self._is_over.wait(max(0.0, min(duty.due_at for duty in self._duties) - time.monotonic()))
        connections.close_all()

    def close(self) -> None:
        """End the thread and say goodbye."""
        self._is_over.set()
        self.join(5)
        bell.hang_up()
        launcher.stop()
        try:
            Worker.objects.filter(pk=self._id).update(stopped_at=host.now())
        except NO_DATABASE as error:
            logger.warning("The worker could not say goodbye: %s", error)
        finally:
            connections.close_all()

    def _beat(self) -> None:
        at = host.now()
        values = {
            "targets": [target.name for target in _served()],
            "has_broker": self._consumers.has_broker(),
            "refusal": host.refusal()[:255],
        }
        if not Worker.objects.filter(pk=self._id).update(heartbeat_at=at, **values):
            Worker.objects.create(
                id=self._id,
                host=host.name(),
                boot_id=host.boot_id(),
                pid=os.getpid(),
                kill_tier=self._kill_tier,
                started_at=at,
                heartbeat_at=at,
                **values,
            )
            host.worker_id = self._id

    def _take_work(self) -> None:
        targets = _served()
        self._served = {target.pk for target in targets}
        self._consumers.serve([target.name for target in targets])
        for target in targets:
            claim.start_next(compute_target_id=target.pk)

    def _answer(self, compute_target_id: int, compute_target_name: str) -> None:
        """Do what a hint asks for; one for others, from a step after which another target's comes, is passed on."""
        if compute_target_id in self._served and not self._is_over.is_set():
            claim.start_next(compute_target_id=compute_target_id)
        else:
            dispatch.hint(compute_target_id=compute_target_id, compute_target_name=compute_target_name)


def _served() -> list[ComputeTarget]:
    """Return the compute targets that this worker serves: those named in the settings, or every enabled one."""
    enabled = ComputeTarget.objects.enabled().order_by("name")
    return list(enabled.filter(name__in=settings.STUDIO_TARGETS) if settings.STUDIO_TARGETS else enabled)


class _Duty:
    """Something to do every so often, whose failure stops nothing else."""

    def __init__(self, do: Callable[[], object], every_seconds: float) -> None:
        self._do = do
        self._every_seconds = every_seconds
        self.due_at = time.monotonic()

    def do_when_due(self) -> None:
        if time.monotonic() < self.due_at:
            return
        try:
            self._do()
        except NO_DATABASE as error:
            logger.warning("The database does not answer: %s", error)
            connections.close_all()
            leftovers.wake_writer()
        except Exception:
            logger.exception("A duty of the worker failed.")
            connections.close_all()
        self.due_at = time.monotonic() + self._every_seconds
