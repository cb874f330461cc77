"""The checker: holds the rows, the witness file, the logs and the processes against the invariants I1 to I9."""

import re
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from django.db import Error, connections

from bench.breaking import scripts
from bench.breaking.load import Load, Look, Submission
from bench.breaking.nemesis import Fault
from runs import storage
from runs.execution import host, kernel
from runs.execution.settle import LOST_RETRIES
from runs.models import Attempt, MetricPoint, Run, RunEvent, RunType
from runs.status import ACTIVE, TERMINAL, TRANSITIONS, UNCLAIMED, RunStatus

# What a stop may take beyond the grace time: the poll, the kill, and a machine that is busy with this bench.
_STOP_MARGIN_SECONDS = 3.0
_LEFTOVER_SECONDS = 5.0
# How long after a fault that hits them the pages may still be away.
_RECOVERY_SECONDS = 10.0
_MEGABYTES_OF_ONE_PROCESS = 400
_LOST_AT_THE_END = re.compile(r"(\d+) bytes of its log were lost: no room on the disk")

NAMES = {
    "I1": "not lost: every accepted run ended",
    "I2": "not twice: starts within what was allowed, no two at once",
    "I3": "not stuck: nothing is active after quiet time",
    "I4": "final: legal moves, one end",
    "I5": "cancel obeyed: stopped in time, never started after",
    "I6": "no orphans: no process of an attempt that is over",
    "I7": "logs: what was printed, in order, once",
    "I8": "metrics: acknowledged points once",
    "I9": "alive: pages answer, memory is bounded",
}


@dataclass
class Verdict:
    """One invariant: how often it was checked, and where it did not hold."""

    checked: int = 0
    violations: list[str] = field(default_factory=list)

    def check(self, holds: object, what: str) -> None:
        """Count one check."""
        self.checked += 1
        if not holds:
            self.violations.append(what)


@dataclass
class Witness:
    """What the scripts of one attempt wrote down themselves."""

    starts: int = 0
    overlaps: int = 0
    printed: int = 0
    ends: int = 0
    acknowledged: set[int] = field(default_factory=set)


class Checker:
    """Looks for leftovers while all goes on (`look`), and at everything when it is quiet (`judge`)."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self.verdicts = {name: Verdict() for name in NAMES}
        self.notes: Counter[str] = Counter()
        self.stop_seconds: list[float] = []
        self.greatest_megabytes: dict[str, int] = {}

    def look(self) -> None:
        """Look for processes whose attempt is over, and at the memory of the product's processes."""
        carried = [(process, cookie) for process, cookie in kernel.cookies() if host.is_our_cookie(cookie)]
        try:
            ended = {
                host.cookie(attempt): attempt.ended_at
                for attempt in Attempt.objects.filter(
                    ended_at__isnull=False, run__in={cookie.partition(".")[0] for _, cookie in carried}
                )
            }
            now = host.now()
        except Error:
            return
        finally:
            connections.close_all()
        for process, cookie in carried:
            ended_at = ended.get(cookie)
            is_leftover = ended_at is not None and (now - ended_at).total_seconds() > _LEFTOVER_SECONDS
            self.verdicts["I6"].check(
                not (is_leftover and process.is_alive()),
                f"process {process.pid} of {cookie}, which ended at {ended_at}",
            )
        for process in self._load.site.processes():
            try:
                name, megabytes = process.name(), process.memory_info().rss // 2**20
            except Exception:  # it ended just now
                continue
            name = name if name.startswith(("studio-", "valkey")) else "supervisor or launcher"
            self.greatest_megabytes[name] = max(self.greatest_megabytes.get(name, 0), megabytes)

    def judge(self, faults: list[Fault], looks: list[Look]) -> None:
        """Hold everything against the invariants. Call it when it is quiet."""
        self._submitted = {made.run_id: made for made in self._load.submissions}
        self._events: dict[int, list[RunEvent]] = defaultdict(list)
        for event in RunEvent.objects.order_by("id").iterator():
            self._events[event.run_id].append(event)
        self._runs = {run.run_id: run for run in Run.objects.all()}
        self._attempts: dict[int, list[Attempt]] = defaultdict(list)
        for attempt in Attempt.objects.order_by("number"):
            self._attempts[attempt.run_id].append(attempt)
        self._witnesses = self._read_witness()
        self._by_supervisor = {(fault.run_pk) for fault in faults if fault.run_pk}
        for violation in self._load.violations:
            self.verdicts["I1"].check(False, violation)
        for made in self._load.submissions:
            run = self._runs.get(made.run_id)
            self.verdicts["I1"].check(run is not None and run.is_terminal, f"{made.run_id} {run and run.status}")
        for run in self._runs.values():
            self._judge_run(run)
        self._judge_cancels(faults)
        self._judge_metrics()
        left = [cookie for process, cookie in kernel.cookies() if host.is_our_cookie(cookie) and process.is_alive()]
        self.verdicts["I6"].check(not left, f"at the end: {left[:5]}")
        self._judge_pages(faults, looks)

    def _judge_run(self, run: Run) -> None:
        is_quiet_client = run.run_type == RunType.INTERACTIVE and run.heartbeat_at is None
        if is_quiet_client and run.status in ACTIVE:
            self.notes["children whose script died before their first heartbeat (they stay Running by design)"] += 1
        else:
            self.verdicts["I3"].check(run.is_terminal, f"{run.run_id} is {run.status}: {run.reason[:100]}")
        self._judge_history(run)
        made = self._submitted.get(run.run_id)
        if made is None:
            return
        witnesses = {number: witness for (run_id, number), witness in self._witnesses.items() if run_id == run.run_id}
        starts = sum(witness.starts for witness in witnesses.values())
        allowed = 1 + max(made.max_retries, LOST_RETRIES if made.retries_lost_workers else 0)
        self.verdicts["I2"].check(starts <= allowed, f"{run.run_id} started {starts} times, {allowed} allowed")
        for number, witness in witnesses.items():
            self.verdicts["I2"].check(
                witness.starts <= 1 and not witness.overlaps, f"{run.run_id} attempt {number}: {witness}"
            )
        for attempt in self._attempts[run.pk]:
            self._judge_log(run, attempt, made, witnesses.get(attempt.number))
        latest = witnesses.get(run.attempt_number)
        if run.status == RunStatus.COMPLETED:
            self.verdicts["I4"].check(latest and latest.ends == 1, f"{run.run_id} is Completed, its script did not end")

    def _judge_history(self, run: Run) -> None:
        final = self.verdicts["I4"]
        events = self._events[run.pk]
        ends = [event for event in events if event.to_status in TERMINAL]
        final.check(len(ends) <= 1 and (not ends or ends[-1] is events[-1]), f"{run.run_id} ended {len(ends)} times")
        final.check(
            events and events[-1].to_status == run.status, f"{run.run_id}: its events do not lead to its status"
        )
        for before, event in pairwise(events):
            is_legal = event.to_status in TRANSITIONS[RunStatus(event.from_status)]
            follows = event.from_status == before.to_status and event.attempt_number >= before.attempt_number
            final.check(is_legal and follows, f"{run.run_id}: {before.to_status}, then {event}")
        attempts = self._attempts[run.pk]
        final.check(
            [attempt.number for attempt in attempts] == list(range(1, run.attempt_number + 1)),
            f"{run.run_id}: attempts {attempts}",
        )
        if run.is_terminal:
            live = [attempt for attempt in attempts if attempt.ended_at is None]
            final.check(not live, f"{run.run_id} has ended, its attempts {live} hold slots")

    def _judge_log(self, run: Run, attempt: Attempt, made: Submission, witness: Witness | None) -> None:
        name = storage.attempt_path(attempt.number, "user_logs/std_log.txt")
        size = storage.log_size(run.pk, name)
        log = storage.read_log(run.pk, name, offset=0, limit=size) if size else b""
        expected = scripts.text(run.run_id, attempt.number, made.lines)
        reached = scripts.read_log(log, expected)
        # What found no room at the very end is said on the attempt.
        if (lost := _LOST_AT_THE_END.search(attempt.reason)) and reached >= 0:
            reached += int(lost[1])
        check = self.verdicts["I7"].check
        check(reached >= 0, f"{run.run_id} attempt {attempt.number}: its log says something else: {log[-200:]!r}")
        if witness is None or reached < 0:
            check(not log, f"{run.run_id} attempt {attempt.number} has a log and was never started")
            return
        if witness.ends and attempt.exit_code is not None:
            check(
                reached == len(expected), f"{run.run_id} attempt {attempt.number}: {reached} of {len(expected)} bytes"
            )
        elif run.pk not in self._by_supervisor:
            known = len(scripts.text(run.run_id, attempt.number, witness.printed))
            check(reached >= known, f"{run.run_id} attempt {attempt.number}: {reached} bytes, {known} were printed")
        else:
            self.notes["logs checked as a prefix only, since the supervisor was killed"] += 1

    def _judge_cancels(self, faults: Iterable[Fault]) -> None:
        faults = list(faults)
        asked = {cancel.run_id for cancel in self._load.cancels}
        for run_id in asked:
            run = self._runs[run_id]
            events = self._events[run.pk]
            request = next((event for event in events if event.to_status == RunStatus.CANCEL_REQUESTED), None)
            end = next((event for event in events if event.to_status in TERMINAL), None)
            check = self.verdicts["I5"].check
            check(request and end, f"{run_id} was asked to stop and has no end")
            if not (request and end):
                continue
            later = [event for event in events if event.id > request.id]
            check(all(event.to_status in TERMINAL for event in later), f"{run_id} went on after it was asked to stop")
            seconds = (end.at - request.at).total_seconds()
            began, ended = request.at.timestamp() - 1, end.at.timestamp()
            if request.from_status in UNCLAIMED:
                continue
            self.stop_seconds.append(seconds)
            grace = max(cancel.grace_seconds for cancel in self._load.cancels if cancel.run_id == run_id)
            is_in_time = seconds <= grace + _STOP_MARGIN_SECONDS
            is_excused = not is_in_time and any(
                (fault.hits_database or fault.run_pk == run.pk)
                and fault.began < ended
                and fault.ended + (20 if fault.run_pk == run.pk else 2) > began
                for fault in faults
            )
            if is_excused:
                self.notes["cancels that took longer than their budget, since a fault hit them or the database"] += 1
            else:
                check(is_in_time, f"{run_id}, {request.from_status}, took {seconds:.2f} s to stop, grace {grace}")

    def _judge_metrics(self) -> None:
        stored: Counter[tuple[str, int, int]] = Counter()
        for run_id, step, value in MetricPoint.objects.values_list("metric__run__run_id", "step", "value"):
            stored[(run_id, step, int(value))] += 1
        for (run_id, number), witness in self._witnesses.items():
            for step in witness.acknowledged:
                count = stored[(run_id, step, number)]
                self.verdicts["I8"].check(count == 1, f"{run_id} step {step} of attempt {number}: stored {count} times")
        for key, count in stored.items():
            self.verdicts["I8"].check(count == 1, f"{key} is stored {count} times")

    def _judge_pages(self, faults: list[Fault], looks: list[Look]) -> None:
        offset = time.time() - time.monotonic()
        check = self.verdicts["I9"].check
        for look in looks:
            began, ended = look.began + offset, look.began + offset + look.seconds
            is_hit = any(
                fault.hits_pages and fault.began < ended and fault.ended + _RECOVERY_SECONDS > began for fault in faults
            )
            # An honest "try again" from a database that was cut off in the middle of a request.
            is_hit |= look.status == 503 and any(
                fault.hits_database and fault.began < ended and fault.ended + 1 > began for fault in faults
            )
            if is_hit:
                self.notes[
                    "looks at pages that were away by a fault of theirs"
                    if look.status != 200
                    else "looks at pages that answered in spite of a fault of theirs"
                ] += 1
            else:
                check(look.status == 200, f"{look.page} answered {look.status} after {look.seconds:.1f} s")
        for name, megabytes in self.greatest_megabytes.items():
            check(megabytes <= _MEGABYTES_OF_ONE_PROCESS, f"{name} took {megabytes} MB")

    def _read_witness(self) -> dict[tuple[str, int], Witness]:
        found: dict[tuple[str, int], Witness] = defaultdict(Witness)
        path = self._load.site.witness / "witness"
        for line in path.read_text().splitlines() if path.exists() else []:
            run_id, number, _, what, _ = line.split()
            witness = found[(run_id, int(number))]
            word, _, value = what.partition(":")
            match word:
                case "start":
                    witness.starts += 1
                case "overlap":
                    witness.overlaps += 1
                case "end":
                    witness.ends += 1
                case "printed":
                    witness.printed = max(witness.printed, int(value))
                case "acknowledged":
                    witness.acknowledged.add(int(value))
        return found


def percentiles(values: list[float]) -> str:
    """Return p50, p95 and the greatest, in words."""
    if len(values) < 2:
        return f"{len(values)} measured"
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    return f"p50 {statistics.median(values):.2f} s, p95 {cuts[18]:.2f} s, at most {max(values):.2f} s ({len(values)})"
