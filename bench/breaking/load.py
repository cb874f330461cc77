"""The generator: submits runs of every kind, cancels, repeats itself; and the reader that looks at pages meanwhile."""

import io
import random
import re
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
from django.db import Error, connections

from bench.breaking import scripts
from bench.breaking.site import Site
from runs.models import Run
from runs.status import RunStatus
from studio_sdk.exceptions import ServerUnreachable, ServiceException
from studio_sdk.transport import Client, quote

# Each kind of script, and how often it is chosen.
KINDS = {
    "plain": 5, "stubborn": 3, "forking": 3, "daemon": 2, "failing": 2, "flaky": 2, "metrics": 4, "parent": 2,
    "flood": 1,
}  # fmt: skip
_ACTIVE_AT_MOST = 24
# A cancel of a queued run shows little: most should run when it comes.
_QUEUED_AT_MOST = 2
# How long a client insists while the server is away.
_INSIST_SECONDS = 90.0


@dataclass
class Submission:
    """One run as its submitter knows it."""

    kind: str
    lines: int
    max_retries: int
    retries_lost_workers: bool
    run_id: str = ""
    acknowledged_at: float = 0.0


@dataclass
class Cancel:
    """One accepted wish to stop."""

    run_id: str
    grace_seconds: float


@dataclass
class Load:
    """What was submitted and asked for, and what the server said to it."""

    site: Site
    token: str
    random: random.Random
    submissions: list[Submission] = field(default_factory=list)
    cancels: list[Cancel] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    repeated_count: int = 0
    refused: list[str] = field(default_factory=list)
    unanswered_count: int = 0

    def __post_init__(self) -> None:
        self._client = Client(self.site.address, token=self.token, retry_seconds=_INSIST_SECONDS)
        self._is_over = threading.Event()
        self._active = 0
        self._pool = ThreadPoolExecutor(_ACTIVE_AT_MOST, thread_name_prefix="load")
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._zip = _zip()

    def start(self) -> None:
        """Begin to submit."""
        self._thread.start()

    def stop(self) -> None:
        """Submit nothing more; wait for the answers that are due."""
        self._is_over.set()
        self._thread.join()
        self._pool.shutdown(wait=True)

    def _run(self) -> None:
        while not self._is_over.is_set():
            if self._active < _ACTIVE_AT_MOST and self._queued() < _QUEUED_AT_MOST:
                # All chance is drawn here, in one thread, so that a seed means something.
                self._pool.submit(self._guard, self._plan(), self._cancel_plan(), self.random.random() < 0.2)
            self._is_over.wait(self.random.uniform(0.1, 0.7))

    def _queued(self) -> int:
        try:
            return Run.objects.filter(status=RunStatus.QUEUED).count()
        except Error:
            return 0
        finally:
            connections.close_all()

    def _plan(self) -> tuple[Submission, float]:
        kind = self.random.choices(list(KINDS), list(KINDS.values()))[0]
        lines = 3000 if kind == "flood" else self.random.randint(0, 60)
        seconds = self.random.choice([0.0, self.random.uniform(0, 3), *[self.random.uniform(3, 9)] * 2])
        retries = 1 if kind == "flaky" else self.random.choice([0, 0, 1])
        return Submission(kind, lines, retries, self.random.random() < 0.5), seconds

    def _cancel_plan(self) -> list[tuple[float, float]]:
        """Return after how many seconds to cancel, and with how much grace."""
        if self.random.random() > 0.4:
            return []
        times = self.random.choice([1, 1, 2])
        return [(self.random.uniform(0, 5), self.random.choice([1.0, 1.0, 0.0])) for _ in range(times)]

    def _guard(self, plan: tuple[Submission, float], cancels: list[tuple[float, float]], is_repeated: bool) -> None:
        self._active += 1
        try:
            self._one(*plan, cancels, is_repeated)
        except Exception as error:
            self.refused.append(f"{type(error).__name__}: {error}")
        finally:
            self._active -= 1

    def _one(self, made: Submission, seconds: float, cancels: list[tuple[float, float]], is_repeated: bool) -> None:
        config = {
            "experiment": f"faults-{made.kind}",
            "script": scripts.NAME,
            "arguments": [str(self.site.witness), made.kind, str(made.lines), f"{seconds:.2f}"],
            "max_retries": made.max_retries,
            "retries_lost_workers": made.retries_lost_workers,
        }
        key = f"{id(made):x}-{time.monotonic_ns():x}"
        answer = self._submit(config, key)
        if answer is None:
            return
        made.run_id, made.acknowledged_at = answer, time.monotonic()
        self.submissions.append(made)
        if is_repeated:
            again = self._submit(config, key)
            self.repeated_count += again is not None
            if again not in (None, made.run_id):
                self.violations.append(f"the same key made {made.run_id} and {again}")
        for after, grace in cancels:
            time.sleep(after)
            self._cancel(made.run_id, grace)

    def _submit(self, config: dict[str, object], key: str) -> str | None:
        try:
            return str(
                self._client.post_multipart(
                    "/runs", fields={"config": config}, file=("snapshot", io.BytesIO(self._zip)), key=key
                )["run_id"]
            )
        except ServerUnreachable:
            self.unanswered_count += 1
        except ServiceException as error:
            self.refused.append(f"{error.status_code} {error.message}")
        return None

    def _cancel(self, run_id: str, grace: float) -> None:
        try:
            self._client.post(f"/runs/{quote(run_id)}/cancel", {"grace_seconds": grace}, repeatable=True)
            self.cancels.append(Cancel(run_id, grace))
        except ServerUnreachable:
            self.unanswered_count += 1
        except ServiceException as error:
            if error.status_code != 409:  # it had ended
                self.refused.append(f"{error.status_code} {error.message}")


@dataclass
class Look:
    """One request for a page: when, for how long, and what came; 0 is no answer."""

    began: float
    seconds: float
    status: int
    page: str


class Reader:
    """A person who looks at pages all the time."""

    def __init__(self, site: Site, link: str, *, timeout_seconds: float = 5.0) -> None:
        self.looks: list[Look] = []
        self._timeout = timeout_seconds
        self._is_over = threading.Event()
        self._cookies = _sign_in(link)
        self._address = site.address
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        pages = ["/w/default/experiments/", "/w/default/pipelines/", "/compute/", "/healthz"]
        number = 0
        while not self._is_over.wait(0.5):
            page = pages[number % len(pages)]
            number += 1
            began = time.monotonic()
            status = 0
            with suppress(httpx.HTTPError):
                status = httpx.get(self._address + page, cookies=self._cookies, timeout=self._timeout).status_code
            self.looks.append(Look(began, time.monotonic() - began, status, page))


def _sign_in(link: str) -> httpx.Cookies:
    with httpx.Client(timeout=30) as browser:
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.get(link).text)
        assert found, "the sign-in page has no form"
        answer = browser.post(link, data={"csrfmiddlewaretoken": found[1]}, headers={"Referer": link})
        assert answer.status_code == 302, f"signing in answered {answer.status_code}"
        return browser.cookies


def _zip() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(scripts.NAME, scripts.SOURCE)
    return packed.getvalue()
