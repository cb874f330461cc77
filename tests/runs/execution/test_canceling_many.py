"""A cancel reaches every process of every run below, whatever else is broken, and the page tells how it went."""

import uuid

import pytest
from django.db import connection, transaction
from django.utils import timezone

from runs.actions import cancellation
from runs.execution import kernel
from runs.models import Attempt, ComputeTarget, Run
from tests.runs.execution.conftest import is_writer, keeps_within, marked, stop_unlocked, wait_for

pytestmark = [pytest.mark.process, pytest.mark.slow]

STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def mark():
    """A word that marks the processes of one test."""
    return f"mark-{uuid.uuid4().hex}"


@pytest.fixture
def start(site, mark):
    """Start stubborn runs, and wait until they ignore what they are asked."""

    def start(count, **fields):
        ComputeTarget.objects.update(slots=10)
        runs = [site.submit(STUBBORN, arguments=(mark,)) for _ in range(count)]
        for run in runs:
            site.wait_for_log(run, b"ready")
        return runs

    return start


def test_a_parent_and_its_children_die_together_also_when_canceled_twice(site, worker, start, mark):
    def play():
        parent, *children = start(5)
        Run.objects.filter(pk__in=[run.pk for run in children[:2]]).update(parent=parent, root=parent)
        Run.objects.filter(pk__in=[run.pk for run in children[2:]]).update(parent=children[0], root=parent)

        with transaction.atomic():  # the second time before it has ended
            site.cancel(parent)
            site.cancel(parent)
        ended = [site.wait_until_ended(run) for run in (parent, *children)]

        assert {run.status for run in ended} == {"Canceled"}
        assert {run.reason for run in ended[1:]} == {f"Its parent {parent.run_id} was canceled."}
        assert [site.events(run).count("CancelRequested") for run in ended] == [1] * 5
        assert marked(mark) == []
        return max(run.ended_at for run in ended) - ended[0].cancel_requested_at

    assert keeps_within(1 + 2, play)  # the grace time, and two seconds for so many


def test_many_that_are_ticked_die_together(site, worker, start, mark):
    runs = start(4)

    asked = cancellation.request_cancel_many(
        runs=Run.objects.order_by("id"), by=site.owner, at=timezone.now(), grace_seconds=0
    )

    assert asked == runs
    assert [site.wait_until_ended(run).status for run in runs] == ["Canceled"] * 4
    assert marked(mark) == []


def test_a_cancel_needs_no_worker_and_no_broker(site, mark):
    worker = site.start_worker()
    run = site.submit(STUBBORN, arguments=(mark,), compute_target="spare")
    site.wait_for_log(run, b"ready")
    ComputeTarget.objects.update(slots=1)
    queued = site.submit(STUBBORN, arguments=(mark,), compute_target="spare")
    worker.kill()
    worker.wait()

    site.cancel(run, grace_seconds=0.2)
    site.cancel(queued)

    assert site.status(queued) == "Canceled"
    assert site.wait_until_ended(run).status == "Canceled"
    assert marked(mark) == []


def test_a_cancel_while_the_worker_is_frozen_is_obeyed(site, worker, start, mark):
    [run] = start(1)
    frozen = kernel.ProcessId.of(worker.pid)
    stop_unlocked(frozen, lambda: is_writer(frozen))

    site.cancel(run, grace_seconds=0)

    assert site.wait_until_ended(run).status == "Canceled"
    assert marked(mark) == []


@pytest.mark.sqlite
def test_a_cancel_is_obeyed_also_when_the_database_takes_no_word_of_it(site, worker, start, mark):
    [run] = start(1)
    site.cancel(run, grace_seconds=0)

    with transaction.atomic():  # holds the one lock to write
        connection.cursor().execute("UPDATE runs_worker SET version = version")
        wait_for(lambda: marked(mark) == [], what="the end of its processes")
        assert site.status(run) == "CancelRequested"

    assert site.wait_until_ended(run).status == "Canceled"


def test_the_details_say_who_asked_which_signal_ended_it_and_how_long_it_took(site, worker, start, client_for):
    [run] = start(1)
    site.cancel(run)
    site.wait_until_ended(run)
    attempt = Attempt.objects.get(run=run)

    page = client_for(site.owner).get(run.get_absolute_url()).content.decode()

    assert "Asked for by olivia" in page
    assert "latest signal SIGKILL" in page
    assert f"all stopped after {attempt.stop_seconds:.1f} s" in page
    assert attempt.stop_seconds >= 1
