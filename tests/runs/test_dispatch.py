"""A hint costs nobody anything: not when the broker is away, not when it is frozen."""

import socket
import threading
import time

import pytest
from celery import current_app

from runs import dispatch


@pytest.fixture
def sender(monkeypatch):
    """A sender of this test alone."""
    sender = dispatch._Sender()
    monkeypatch.setattr(dispatch, "_sender", sender)
    return sender


@pytest.fixture
def sent(monkeypatch):
    """What would have been published."""
    sent = []

    class Signature:
        def __init__(self, name, kwargs, queue):
            self.message = (name, kwargs, queue)

        def apply_async(self, **options):
            sent.append(self.message)

    monkeypatch.setattr(current_app, "signature", Signature)
    return sent


def test_a_hint_names_the_target_and_goes_to_its_queue(sender, sent):
    dispatch.hint(compute_target_id=7, compute_target_name="gpu")

    assert dispatch.flush(timeout_seconds=30)
    assert sent == [("runs.execute_next", {"compute_target_id": 7}, "compute-target.gpu")]


def test_a_hundred_hints_that_wait_for_the_same_target_are_one(sender, sent):
    with sender._changed:  # nothing is sent meanwhile
        for _ in range(100):
            dispatch.hint(compute_target_id=7, compute_target_name="gpu")

    assert dispatch.flush(timeout_seconds=30)
    assert len(sent) <= 2  # one may have been under way


def test_a_broker_that_is_away_costs_nothing_but_the_hint(sender, caplog):
    dispatch.hint(compute_target_id=7, compute_target_name="gpu")

    assert dispatch.flush(timeout_seconds=30)
    [record] = [record for record in caplog.records if "Hint for gpu not sent" in record.getMessage()]
    assert record.thread != threading.get_ident()  # so whoever hinted was not the one to find out


@pytest.mark.slow
def test_a_broker_that_is_frozen_is_not_waited_for(sender, monkeypatch):
    frozen = socket.create_server(("127.0.0.1", 0))
    signature = current_app.signature

    def to_the_frozen(*arguments, **options):
        made = signature(*arguments, **options)
        connection = current_app.connection_for_write(url=f"redis://127.0.0.1:{frozen.getsockname()[1]}")
        publish = made.apply_async
        made.apply_async = lambda **kwargs: publish(connection=connection, **kwargs)
        return made

    monkeypatch.setattr(current_app, "signature", to_the_frozen)
    started = time.monotonic()

    dispatch.hint(compute_target_id=7, compute_target_name="gpu")
    flushed = dispatch.flush(timeout_seconds=0.5)

    assert not flushed
    assert time.monotonic() - started < 4  # who waits for the broker waits for five seconds
    frozen.close()
    assert dispatch.flush(timeout_seconds=30)  # else it would be logged in another test
