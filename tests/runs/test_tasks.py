"""The tasks are thin: each makes one call, and tolerates what a newer server sends."""

import pytest

from runs import dispatch, tasks
from runs.execution import launcher
from runs.models import Attempt, Lease
from tests import factories


@pytest.fixture
def hinted(monkeypatch):
    """The names of the compute targets that were hinted for."""
    hinted = []
    monkeypatch.setattr(dispatch, "hint", lambda **target: hinted.append(target["compute_target_name"]))
    return hinted


def test_execute_next_starts_what_waits_while_slots_are_free(experiment, owner, local, monkeypatch):
    started = []
    monkeypatch.setattr(launcher, "start", started.append)
    for _ in range(3):
        factories.run(experiment, by=owner, compute_target=local)

    tasks.execute_next(compute_target_id=local.pk, sent_by="a newer server")
    tasks.execute_next(compute_target_id=local.pk)

    assert started == list(Attempt.objects.order_by("id").values_list("pk", flat=True))
    assert len(started) == 2


def test_sweep_hints_for_targets_where_runs_wait(experiment, owner, local, hinted):
    factories.compute_target("idle")
    disabled = factories.compute_target("disabled", is_enabled=False)
    factories.run(experiment, by=owner, compute_target=local)
    factories.run(experiment, by=owner, compute_target=disabled)

    tasks.sweep()

    assert hinted == ["local"]


def test_reap_takes_the_lead(db):
    tasks.reap()

    assert Lease.objects.filter(name="reaper").exists()


def test_run_schedules_submits_what_is_due(workspace, owner, local):
    pipeline = factories.published_pipeline(workspace, by=owner)
    schedule = factories.schedule(pipeline, by=owner)

    tasks.run_schedules()

    schedule.refresh_from_db()
    assert schedule.ticks.count() in (1, 2)
    assert schedule.next_at > factories.NOON
