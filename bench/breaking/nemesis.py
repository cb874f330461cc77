"""The nemesis: kills, freezes, cuts, fills, one fault at a time, and only what the site itself started."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psutil
import redis
from django.conf import settings
from django.db import Error, connections

from bench.breaking.site import Postgres, Site
from runs.execution import kernel
from runs.models import Attempt, ComputeTarget

# A part that dies again within half a minute is started again ever more slowly; that is no fault to test.
_BETWEEN_KILLS_SECONDS = 32.0


@dataclass
class Fault:
    """What was done, when (by the wall clock), and what it may excuse."""

    kind: str
    began: float
    ended: float
    detail: str = ""
    run_pk: int = 0
    hits_pages: bool = False
    hits_database: bool = False


class Nemesis:
    """A thread that breaks something every few seconds."""

    def __init__(self, site: Site, chance: random.Random) -> None:
        self.site = site
        self.faults: list[Fault] = []
        self.troubles: list[str] = []
        self._random = chance
        self._is_over = threading.Event()
        self._killed_at: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, name="nemesis", daemon=True)
        self._kinds: list[tuple[int, str, Callable[[Fault], bool]]] = [
            (3, "worker killed", lambda fault: self._kill_part("studio-worker", fault)),
            (2, "second worker killed", self._kill_second_worker),
            (1, "worker ended politely", self._end_worker),
            (2, "worker frozen", lambda fault: self._freeze_part("studio-worker", fault)),
            (6, "supervisor killed", self._kill_supervisor),
            (2, "shim killed", self._kill_shim),
            (4, "supervisor frozen shortly", lambda fault: self._freeze_supervisor(fault, 0.5, 2.5)),
            (3, "supervisor frozen for long", lambda fault: self._freeze_supervisor(fault, 7, 9)),
            (2, "launcher killed", self._kill_launcher),
            (2, "beat killed", lambda fault: self._kill_part("studio-beat", fault)),
            (1, "beat frozen", lambda fault: self._freeze_part("studio-beat", fault)),
            (2, "web killed", lambda fault: self._kill_part("studio-web", fault)),
            (2, "web frozen", lambda fault: self._freeze_part("studio-web", fault)),
            (2, "broker killed", lambda fault: self._kill_part("valkey-server", fault)),
            (2, "broker frozen", lambda fault: self._freeze_part("valkey-server", fault)),
            (2, "broker forgot everything", self._flush_broker),
            (2, "broker full of junk and duplicates", self._junk_broker),
            (1, "everything but the runs killed", self._kill_everything),
            (4, "database locked", self._lock_database),
        ]
        if isinstance(site.database, Postgres):
            self._kinds.append((4, "database connections cut", self._cut_database))
            if site.database.is_own:
                self._kinds.append((2, "database crashed", self._crash_database))
                self._kinds.append((2, "database frozen", self._freeze_database))
        if site.has_small_disk:
            self._kinds.append((2, "disk full", self._fill_disk))

    def start(self) -> None:
        """Begin to break things."""
        self._thread.start()

    def stop(self) -> None:
        """Break nothing more; let everything go on that was frozen."""
        self._is_over.set()
        self._thread.join()
        for process in self.site.processes():
            with suppress(psutil.Error):
                process.resume()
        self.site.start()

    def _run(self) -> None:
        weights = [weight for weight, _, _ in self._kinds]
        while not self._is_over.wait(self._random.uniform(0.3, 1.5)):
            _, kind, act = self._random.choices(self._kinds, weights)[0]
            fault = Fault(kind, time.time(), 0.0)
            try:
                if act(fault):
                    fault.ended = time.time()
                    self.faults.append(fault)
            except (psutil.NoSuchProcess, ProcessLookupError):
                pass  # it ended by itself just now
            except Exception as error:
                self.troubles.append(f"{kind}: {type(error).__name__}: {error}")
            try:
                self.site.start_second_worker()
            except Exception as error:
                self.troubles.append(f"second worker: {error}")

    def _pause(self, least: float, most: float) -> None:
        time.sleep(self._random.uniform(least, most))

    # --- parts ---

    def _may_kill(self, name: str) -> bool:
        is_long_ago = time.monotonic() - self._killed_at.get(name, -1e9) > _BETWEEN_KILLS_SECONDS
        if is_long_ago:
            self._killed_at[name] = time.monotonic()
        return is_long_ago

    def _kill_part(self, name: str, fault: Fault) -> bool:
        process = self.site.part(name)
        if process is None or not self._may_kill(name):
            return False
        process.kill()
        fault.hits_pages = name == "studio-web"
        return True

    def _end_worker(self, fault: Fault) -> bool:
        process = self.site.part("studio-worker")
        if process is None or not self._may_kill("studio-worker"):
            return False
        process.terminate()
        return True

    def _freeze_part(self, name: str, fault: Fault) -> bool:
        process = self.site.part(name)
        if process is None:
            return False
        fault.hits_pages = name == "studio-web"
        # A worker may hold a lock of the database at that moment.
        fault.hits_database = name in ("studio-worker", "studio-web")
        family = [process, *process.children(recursive=True)] if name == "studio-web" else [process]
        self._freeze(family, 1, 6)
        return True

    def _freeze(self, processes: list[psutil.Process], least: float, most: float) -> None:
        try:
            for process in processes:
                process.suspend()
            self._pause(least, most)
        finally:
            for process in processes:
                with suppress(psutil.Error):
                    process.resume()

    def _kill_second_worker(self, fault: Fault) -> bool:
        worker = self.site.second_worker
        if worker is None or worker.poll() is not None:
            return False
        family = psutil.Process(worker.pid).children()
        worker.kill()
        worker.wait()
        for process in family:
            with suppress(psutil.Error):
                process.kill()
        return True

    def _kill_everything(self, fault: Fault) -> bool:
        up = self.site.up
        if up is None or up.poll() is not None or not self._may_kill("up"):
            return False
        fault.hits_pages = True
        children = psutil.Process(up.pid).children()
        up.kill()
        up.wait()
        psutil.wait_procs(children, timeout=5)
        for process in children:
            with suppress(psutil.Error):
                process.kill()
        self._pause(0, 3)
        self.site.start()
        self._killed_at.clear()
        return True

    # --- supervisors ---

    def _victim(self) -> tuple[Attempt, kernel.ProcessId] | None:
        try:
            live = list(Attempt.objects.live().filter(pid__isnull=False, boot_id=kernel.boot_id()))
        finally:
            connections.close_all()
        if not live:
            return None
        attempt = self._random.choice(live)
        return attempt, kernel.ProcessId(attempt.pid or 0, int(attempt.pid_started_at or 0))

    def _kill_supervisor(self, fault: Fault) -> bool:
        victim = self._victim()
        if victim is None:
            return False
        fault.run_pk, fault.detail = victim[0].run_id, str(victim[0])
        return victim[1].send(signal.SIGKILL)

    def _freeze_supervisor(self, fault: Fault, least: float, most: float) -> bool:
        victim = self._victim()
        if victim is None or not victim[1].send(signal.SIGSTOP):
            return False
        fault.run_pk, fault.detail = victim[0].run_id, str(victim[0])
        fault.hits_database = True  # it may hold a lock
        try:
            self._pause(least, most)
        finally:
            victim[1].send(signal.SIGCONT)
        return True

    def _kill_shim(self, fault: Fault) -> bool:
        victim = self._victim()
        below = victim and [process for process in kernel.descendants(victim[1].pid) if victim[1].is_alive()]
        if not victim or not below:
            return False
        fault.run_pk, fault.detail = victim[0].run_id, str(victim[0])
        return below[0].send(signal.SIGKILL)

    def _kill_launcher(self, fault: Fault) -> bool:
        worker = self.site.part("studio-worker")
        launchers = worker.children() if worker else []
        for process in launchers:
            process.kill()
        return bool(launchers)

    # --- broker ---

    def _broker(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(settings.STUDIO_BROKER_SOCKET), socket_timeout=2)

    def _flush_broker(self, fault: Fault) -> bool:
        with suppress(redis.RedisError), self._broker() as broker:
            broker.flushall()
            return True
        return False

    def _junk_broker(self, fault: Fault) -> bool:
        try:
            targets = list(ComputeTarget.objects.all())
        finally:
            connections.close_all()
        from celery import current_app

        with suppress(redis.RedisError, OSError), self._broker() as broker:
            for target in targets:
                queue = f"compute-target.{target.name}"
                broker.lpush(queue, b"junk", os.urandom(40), b"{}", b'{"body": 1, "headers": {}}')
                for _ in range(8):
                    current_app.signature(
                        "runs.execute_next", kwargs={"compute_target_id": target.pk}, queue=queue
                    ).apply_async(retry=False, ignore_result=True)
            return True
        return False

    # --- database, disk ---

    def _lock_database(self, fault: Fault) -> bool:
        fault.hits_database = True
        self.site.database.lock(self._random.uniform(1, 6))
        return True

    def _postgres(self) -> Postgres:
        assert isinstance(self.site.database, Postgres)
        return self.site.database

    def _cut_database(self, fault: Fault) -> bool:
        fault.hits_database = True
        self._postgres().cut()
        return True

    def _crash_database(self, fault: Fault) -> bool:
        fault.hits_database = fault.hits_pages = True
        self._postgres().stop(immediately=self._random.random() < 0.7)
        try:
            self._pause(0.5, 5)
        finally:
            self._postgres().start()
        return True

    def _freeze_database(self, fault: Fault) -> bool:
        fault.hits_database = fault.hits_pages = True
        self._freeze(self._postgres().processes(), 1, 5)
        return True

    def _fill_disk(self, fault: Fault) -> bool:
        filler = self.site.home / "data" / "filler"
        try:
            with suppress(OSError), filler.open("wb", buffering=0) as full:
                while True:
                    full.write(b"x" * 2**20)
            self._pause(1, 4)
        finally:
            filler.unlink(missing_ok=True)
        return True


def database_answers() -> bool:
    """Return whether the checker itself reaches the database."""
    try:
        ComputeTarget.objects.exists()
    except Error:
        return False
    finally:
        connections.close_all()
    return True
