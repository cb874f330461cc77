"""The supervisor's thread that watches what its script is busy with: cheap, bounded, and never in the way.

It reads /proc for the processes of the tree and NVML for the cards. What it found is one
row of a bounded size, written now and then; a database that does not answer costs
samples on the page, nothing else.
"""

import logging
import os
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
from django.conf import settings
from django.db import Error, connections

from runs.execution import captured, environment, gpus
from runs.execution.columns import Columns
from runs.execution.gpus import Gpus
from runs.execution.usage import tree_totals
from runs.models import Attempt, SystemMetrics

logger = logging.getLogger(__name__)

# However long the slots have become, a peak between two samples should be seen.
_LONGEST_PAUSE_SECONDS = 10.0
_WRITE_SECONDS = 5.0


def load() -> None:
    """Load and look up what every watch would have to."""
    gpus.load()
    captured.packages_of(environment.own_interpreter())


class Monitor(threading.Thread):
    """One attempt's watch, from its script's start to its end."""

    def __init__(self, attempt: Attempt, interpreter: Path | None = None) -> None:
        super().__init__(name="monitor", daemon=True)
        self.attempt = attempt
        # What the script is started with, as soon as that is known and until it is recorded.
        self.interpreter = interpreter
        self._is_over = threading.Event()
        self._columns: Columns | None = None
        self._totals: dict[str, float] = {}
        self._totals_at = 0.0

    def run(self) -> None:
        """Sample until `stop`; then write the rest."""
        try:
            self.record()
            if settings.STUDIO_MONITOR_SECONDS > 0:
                self._watch()
        except Exception:
            logger.exception("The monitor of attempt %s gave up.", self.attempt)
        finally:
            connections.close_all()

    def record(self) -> None:
        """Write down which packages the script finds, if that is not done yet. A database that is away costs them."""
        interpreter, self.interpreter = self.interpreter, None
        if interpreter is not None:
            with suppress(OSError, ValueError, Error):
                captured.record(self.attempt, interpreter)

    def stop(self, *, timeout_seconds: float) -> None:
        """End the watch; a database that does not answer may keep it, and is not waited for."""
        self._is_over.set()
        if self.is_alive():
            self.join(timeout_seconds)

    def _watch(self) -> None:
        pause = settings.STUDIO_MONITOR_SECONDS
        self._columns = Columns(interval=pause, began=time.time())
        cards: Gpus | None = None
        self._totals, self._totals_at = tree_totals(os.getpid())[0], time.monotonic()
        write_at, is_written = time.monotonic() + _WRITE_SECONDS, True
        # The first look comes early, so that a short run has one.
        wait = min(1.0, pause)
        while not self._is_over.wait(wait):
            cards = cards or Gpus()  # not before: a script that ends at once has no need of them
            self._columns.add({**self._sample(), **cards.sample()}, at=time.time())
            is_written = False
            if time.monotonic() >= write_at:
                self._write(cards)
                is_written = True
                write_at = time.monotonic() + max(_WRITE_SECONDS, self._columns.interval)
            wait = min(max(pause, self._columns.interval / 4), _LONGEST_PAUSE_SECONDS)
        if cards is not None:
            if not is_written:
                self._write(cards)
            cards.close()

    def _sample(self) -> dict[str, float]:
        totals, now = tree_totals(os.getpid())
        at = time.monotonic()
        seconds = max(at - self._totals_at, 0.001)
        rates = {name: max(0.0, total - self._totals.get(name, total)) / seconds for name, total in totals.items()}
        self._totals, self._totals_at = totals, at
        return {
            "cpu": 100 * rates.pop("cpu_seconds"),
            **rates,
            **now,
            "machine_cpu": psutil.cpu_percent(),
            "machine_memory": float(psutil.virtual_memory().used),
        }

    def _write(self, cards: Gpus) -> None:
        if self._columns is None:
            return
        machine = {
            "cores": os.cpu_count(),
            "memory_bytes": psutil.virtual_memory().total,
            "gpus": cards.names,
        }
        row = SystemMetrics(
            attempt=self.attempt, updated_at=datetime.now(UTC), data={**self._columns.document(), "machine": machine}
        )
        try:
            SystemMetrics.objects.bulk_create(
                [row], update_conflicts=True, unique_fields=["attempt"], update_fields=["updated_at", "data"]
            )
        except Error as error:
            logger.warning("Attempt %s: its system metrics cannot be written now: %s", self.attempt, error)
        finally:
            connections.close_all()
