"""Thousands of interleavings of submit, claim, lease, cancel, freeze, loss and settle, by a clock of our own.

No process runs: a supervisor here is what it says to the rows, which is all that the
others know of it. What a real one does between its looks is in test_running and its like.
"""

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from unittest import mock

import pytest
from django.db import transaction
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from runs import dispatch, lifecycle
from runs.actions import cancellation, submission
from runs.actions.script_run_config import ScriptRunConfig
from runs.execution import claim, finish, host, outcome, reaper, settle
from runs.execution.outcome import Outcome, Retry
from runs.execution.settle import LOST_RETRIES
from runs.models import Attempt, Run, StatusCount
from runs.status import ACTIVE, TERMINAL, TRANSITIONS, UNCLAIMED, RunStatus
from tests import factories

RUNS = 3
SLOTS = 2
LEASE_SECONDS = 15
LOST_SECONDS = 30
LIFE = ("adopt", "go_on", "script_starts", "script_succeeds", "script_fails", "say_finalizing", "settle")
FAULTS = ("die", "freeze", "thaw")
DEEDS = (*LIFE, *FAULTS)
pick = st.integers(0, 10**6)


class Supervisor:
    """What a supervisor knows: its attempt, whether it lives, and whether its script does."""

    def __init__(self, attempt):
        self.attempt = attempt
        self.is_alive = True
        self.is_frozen = False
        self.has_adopted = False
        self.may_start = False
        self.has_script = False
        self.outcome = None


class Machine(RuleBasedStateMachine):
    """Rows, supervisors and two reapers."""

    def __init__(self):
        super().__init__()
        self.undone = transaction.atomic()
        self.undone.__enter__()
        self.supervisors = {}
        patches = {
            host: {"now": lambda: self.at},
            dispatch: {"hint": lambda **_: None},
            outcome: {"load": self._spooled},
            reaper: {"is_supervised": self._is_supervised, "kill_attempt": self._kill_attempt},
            finish: {"finish": self._finish},
        }
        self.patches = [mock.patch.multiple(module, **names) for module, names in patches.items()]
        for patch in self.patches:
            patch.start()

    @initialize(retries=st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=RUNS - 1))
    def begin(self, retries):
        self.at = factories.NOON
        workspace = factories.workspace()
        self.owner = factories.user()
        self.experiment = factories.experiment(workspace)
        self.target = factories.compute_target(slots=SLOTS)
        self.starts = {}
        for max_retries, retries_lost_workers in retries:
            self._submit(max_retries, retries_lost_workers, None)

    # --- people ---

    @precondition(lambda self: Run.objects.count() < RUNS)
    @rule(max_retries=st.integers(0, 2), retries_lost_workers=st.booleans(), child_of=st.none() | pick)
    def submit(self, max_retries, retries_lost_workers, child_of):
        self._submit(max_retries, retries_lost_workers, child_of)

    def _submit(self, max_retries, retries_lost_workers, child_of):
        parents = list(Run.objects.order_by("id"))
        parent = parents[child_of % len(parents)] if parents and child_of is not None else None
        config = ScriptRunConfig(
            command=("true",),
            compute_target=self.target.name,
            max_retries=max_retries,
            retries_lost_workers=retries_lost_workers,
        )
        try:
            submission.submit_script(
                experiment=self.experiment, config=config, snapshot=None, by=self.owner, at=self.at, parent=parent
            )
        except submission.ParentIsCanceled:
            assert parent.status in ("CancelRequested", "Canceled")

    @precondition(lambda self: Run.objects.exists())
    @rule(which=pick, grace=st.sampled_from([None, 0]))
    def cancel(self, which, grace):
        run = self._pick(list(Run.objects.order_by("id")), which)
        try:
            cancellation.request_cancel(run=run, by=self.owner, at=self.at, grace_seconds=grace)
        except cancellation.AlreadyEnded:
            assert run.status in TERMINAL

    # --- workers ---

    @rule(is_far=st.booleans(), runs_on=st.booleans())
    def claim(self, is_far, runs_on):
        """Win a run; then perhaps what nearly always happens, in one step, so that chance gets beyond it."""
        supervisor = self._claim(is_far=is_far)
        if supervisor is not None and runs_on:
            self._bring_to_running(supervisor)

    def _bring_to_running(self, supervisor):
        for deed in (self._adopt, self._go_on, self._script_starts, self._go_on):
            deed(supervisor)

    def _claim(self, *, is_far):
        attempt = claim.claim_next(compute_target_id=self.target.pk, at=self.at)
        if attempt is None:
            return None
        if is_far:
            Attempt.objects.filter(pk=attempt.pk).update(host="far-away", boot_id="another-boot")
        self.supervisors[attempt.pk] = Supervisor(attempt)
        return self.supervisors[attempt.pk]

    # --- supervisors ---

    @precondition(lambda self: self._living())
    @rule(which=pick, deed=st.sampled_from(DEEDS))
    def supervisor_does(self, which, deed):
        """Let one do a thing; what it cannot do now does nothing."""
        supervisor = self._pick(self._living(), which)
        if deed in FAULTS or not supervisor.is_frozen:
            getattr(self, f"_{deed}")(supervisor)

    def _adopt(self, supervisor):
        lease = self.at + timedelta(seconds=LEASE_SECONDS)
        mine = Attempt.objects.live().filter(pk=supervisor.attempt.pk)
        mine.filter(pid__isnull=True).update(pid=supervisor.attempt.pk, pid_started_at=1, lease_until=lease)
        supervisor.has_adopted = supervisor.is_alive = mine.exists()

    def _go_on(self, supervisor):
        """Look at the rows once, as the pulse does, and take the next step that they allow."""
        if not supervisor.has_adopted or supervisor.outcome is not None:
            return
        attempt = Attempt.objects.select_related("run", "compute_target").get(pk=supervisor.attempt.pk)
        run = attempt.run
        if attempt.ended_at is not None or run.attempt_number != attempt.number or run.status in TERMINAL | UNCLAIMED:
            self._die(supervisor)  # fenced
            return
        Attempt.objects.live().filter(pk=attempt.pk).update(lease_until=self.at + timedelta(seconds=LEASE_SECONDS))
        how = {"at": self.at, "actor": "supervisor", "attempt": attempt.number}
        if run.status == RunStatus.CANCEL_REQUESTED:
            supervisor.has_script = supervisor.may_start = False
            supervisor.outcome = Outcome(RunStatus.CANCELED)
        elif run.status == RunStatus.PREPARING:
            lifecycle.move(run, RunStatus.STARTING, **how)
            supervisor.may_start = True
        elif run.status in (RunStatus.STARTING, RunStatus.NOT_RESPONDING) and supervisor.has_script:
            lifecycle.move(run, RunStatus.RUNNING, **how)

    def _script_starts(self, supervisor):
        """Without a look at the rows: whatever happened since the last one."""
        if not supervisor.may_start:
            return
        run_id = supervisor.attempt.run_id
        copies = [other for other in self.supervisors.values() if other.has_script and other.attempt.run_id == run_id]
        assert not copies
        supervisor.may_start, supervisor.has_script = False, True
        self.starts[run_id] = self.starts.get(run_id, 0) + 1

    def _script_succeeds(self, supervisor):
        self._script_ends(supervisor, Outcome(RunStatus.COMPLETED, exit_code=0, started_at=self.at.isoformat()))

    def _script_fails(self, supervisor):
        ended = Outcome(RunStatus.FAILED, exit_code=1, retry=Retry.FAILURE, started_at=self.at.isoformat())
        self._script_ends(supervisor, ended)

    def _script_ends(self, supervisor, ended):
        if supervisor.has_script:
            supervisor.has_script, supervisor.outcome = False, ended

    def _say_finalizing(self, supervisor):
        if supervisor.outcome is not None:
            attempt = Attempt.objects.select_related("run", "compute_target").get(pk=supervisor.attempt.pk)
            finish._say_finalizing(attempt, supervisor.outcome)

    def _settle(self, supervisor):
        """Twice, since the first answer may be lost."""
        if supervisor.outcome is not None:
            attempt = Attempt.objects.select_related("run", "compute_target").get(pk=supervisor.attempt.pk)
            for _ in range(2):
                settle.settle(attempt, supervisor.outcome, at=self.at, actor="supervisor")
            supervisor.is_alive = False

    # --- faults ---

    @staticmethod
    def _die(supervisor):
        supervisor.is_alive = supervisor.has_script = supervisor.may_start = False

    @staticmethod
    def _freeze(supervisor):
        supervisor.is_frozen = True

    @staticmethod
    def _thaw(supervisor):
        supervisor.is_frozen = False

    @rule(seconds=st.sampled_from([1, 5, 10, 40, 3600, -3600]))
    def time_passes(self, seconds):
        """Or a clock is set."""
        self.at += timedelta(seconds=seconds)

    # --- reapers ---

    @rule(holder=st.sampled_from(["one", "two"]), is_steady=st.booleans())
    def reap(self, holder, is_steady):
        if not is_steady:
            self._reap(holder)
            return
        for _ in range(14):
            self.at += timedelta(seconds=5)
            self._reap(holder)

    def _reap(self, holder):
        reaper.reap(holder=holder, at=self.at)

    @rule()
    def tell_what_was_spooled(self):
        for supervisor in self.supervisors.values():
            attempt = Attempt.objects.select_related("run", "compute_target").get(pk=supervisor.attempt.pk)
            is_here = attempt.boot_id == host.boot_id()
            if supervisor.outcome is not None and not supervisor.is_alive and attempt.ended_at is None and is_here:
                settle.settle(attempt, supervisor.outcome, at=self.at, actor="janitor")

    # --- this machine, as the reaper sees it ---

    def _spooled(self, attempt_id):
        return self.supervisors[attempt_id].outcome if attempt_id in self.supervisors else None

    def _is_supervised(self, attempt):
        return self.supervisors[attempt.pk].is_alive

    def _kill_attempt(self, attempt):
        self._die(self.supervisors[attempt.pk])
        return 0

    def _finish(self, attempt, ended, *, persist):
        settle.settle(attempt, ended, at=self.at, actor="reaper")

    # --- what must hold ---

    @invariant()
    def everything_promised_holds(self):
        runs = Run.objects.prefetch_related("events", "attempts")
        live = 0
        for run in runs:
            live += self._check(run)
        assert live <= SLOTS
        kept = {(row.is_child, row.status): row.count for row in StatusCount.objects.filter(count__gt=0)}
        assert kept == Counter((run.parent_id is not None, run.status) for run in runs)

    def _check(self, run):
        """Check one run; return how many slots it holds."""
        events = sorted(run.events.all(), key=lambda event: event.pk)
        steps = [(event.from_status, event.to_status) for event in events]
        assert all(step[1] in TRANSITIONS[RunStatus(step[0])] for step in steps[1:])
        assert all(after[0] == before[1] for before, after in pairwise(steps))
        assert steps[-1][1] == run.status
        assert sum(step[1] in TERMINAL for step in steps) == (run.status in TERMINAL)
        live = [attempt.number for attempt in run.attempts.all() if attempt.ended_at is None]
        assert live in ([], [run.attempt_number])
        assert not (live and run.status in TERMINAL | UNCLAIMED)
        allowed = 1 + max(run.max_retries, LOST_RETRIES if run.retries_lost_workers else 0)
        assert self.starts.get(run.pk, 0) <= allowed
        return len(live)

    def teardown(self):
        """After quiet time nothing is active."""
        try:
            self._come_to_rest()
            assert not Run.objects.filter(status__in=ACTIVE).exists()
            assert not Attempt.objects.live().exists()
        finally:
            for patch in self.patches:
                patch.stop()
            transaction.set_rollback(True)
            self.undone.__exit__(None, None, None)

    def _come_to_rest(self):
        """Let everybody go on, until all has ended or an hour is over."""
        for supervisor in self._living():
            supervisor.is_frozen = False
        self.at += timedelta(hours=2)  # beyond whatever a clock that was set back put off
        for _ in range(100):
            if not Run.objects.filter(status__in=ACTIVE).exists():
                return
            self.at += timedelta(seconds=5)
            self._claim(is_far=False)
            for supervisor in self._living():
                self._bring_to_running(supervisor)
                self._script_succeeds(supervisor)
                self._settle(supervisor)
            self.tell_what_was_spooled()
            self._reap("one")

    # --- small things ---

    def _living(self):
        return [supervisor for supervisor in self.supervisors.values() if supervisor.is_alive]

    @staticmethod
    def _pick(things, which):
        return things[which % len(things)]


@pytest.fixture
def leases(settings):
    settings.STUDIO_LEASE_SECONDS = LEASE_SECONDS
    settings.STUDIO_LOST_SECONDS = LOST_SECONDS


def test_a_copy_that_may_still_run_elsewhere_gets_no_second_one(db, leases):
    machine = Machine()
    machine.begin(retries=[(2, True)])
    machine.claim(is_far=True, runs_on=True)

    machine.reap(holder="one", is_steady=True)  # it was partitioned off and lost, and lives
    machine.claim(is_far=False, runs_on=True)  # would assert that there is one copy

    assert len(machine.supervisors) == 1
    machine.teardown()


def test_no_interleaving_breaks_what_is_promised(db, leases):
    run_state_machine_as_test(
        Machine,
        settings=hypothesis_settings(
            max_examples=40,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
