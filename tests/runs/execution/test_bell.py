"""A supervisor tells its worker of a free slot through a pipe, and the broker where nobody holds the other end."""

import os
import queue

import pytest
from django.db import OperationalError

from runs import dispatch
from runs.execution import agent, bell, claim


@pytest.fixture
def heard():
    return queue.Queue()


@pytest.fixture
def sent(monkeypatch):
    """The hints that go to the broker."""
    sent = []
    monkeypatch.setattr(dispatch._sender, "send", lambda pk, name: sent.append((pk, name)))
    return sent


@pytest.fixture
def rung(heard, monkeypatch, sent):
    """A worker that answers, and this process as one of its supervisors."""
    monkeypatch.setattr(dispatch, "_cord", None)
    thread = bell.answer(lambda pk, name: heard.put((pk, name)))
    supervisors_end = os.dup(bell.cord())
    dispatch.hold_cord(supervisors_end)
    yield thread
    bell.hang_up()
    thread.join(30)
    os.close(supervisors_end)


def test_a_hint_of_a_supervisor_reaches_its_worker_without_a_broker(rung, heard, sent):
    dispatch.hint(compute_target_id=7, compute_target_name="gpu")

    assert heard.get(timeout=30) == (7, "gpu")
    assert sent == []


def test_where_the_worker_has_gone_the_broker_is_told(rung, sent):
    bell.hang_up()
    rung.join(30)

    dispatch.hint(compute_target_id=7, compute_target_name="gpu")

    assert sent == [(7, "gpu")]


def test_a_worker_that_is_behind_keeps_nobody_waiting(monkeypatch, sent):
    reader, writer = os.pipe2(os.O_NONBLOCK)
    monkeypatch.setattr(dispatch, "_cord", writer)

    for _ in range(20_000):
        dispatch.hint(compute_target_id=7, compute_target_name="gpu")

    assert set(sent) == {(7, "gpu")}
    os.close(reader)
    os.close(writer)


def test_a_database_that_is_away_loses_a_hint_and_not_the_bell(heard, monkeypatch, sent):
    def hear(pk, name):
        if pk == 1:
            raise OperationalError("away")
        heard.put((pk, name))

    monkeypatch.setattr(dispatch, "_cord", None)
    thread = bell.answer(hear)
    dispatch.hold_cord(bell.cord())
    dispatch.hint(compute_target_id=1, compute_target_name="first")
    dispatch.hint(compute_target_id=2, compute_target_name="second")

    assert heard.get(timeout=30) == (2, "second")
    bell.hang_up()
    thread.join(30)
    assert not thread.is_alive()


def test_a_worker_passes_on_what_is_for_a_target_of_others(monkeypatch, sent):
    started = []
    monkeypatch.setattr(claim, "start_next", lambda *, compute_target_id: started.append(compute_target_id))
    worker = agent.Agent(consumers=None)
    worker._served = {1}

    worker._answer(1, "local")
    worker._answer(2, "gpu")

    assert (started, sent) == ([1], [(2, "gpu")])
