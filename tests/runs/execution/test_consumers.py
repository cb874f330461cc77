"""A worker listens to the queues of its compute targets, whenever its consumer comes to be connected."""

from types import SimpleNamespace

import pytest
from celery import Celery

from studio.worker import _Consumers


@pytest.fixture
def worker():
    """A worker whose consumer is not connected yet."""
    return SimpleNamespace(app=Celery(set_as_current=False), consumer=None)


def connect(worker, *, listens_to):
    """Connect its consumer, which listens to these queues."""
    consumed = set(listens_to)
    worker.consumer = SimpleNamespace(
        connection=SimpleNamespace(connected=True),
        task_consumer=SimpleNamespace(consuming_from=consumed.__contains__),
        add_task_queue=consumed.add,
        cancel_task_queue=consumed.remove,
        call_soon=lambda change, queue: change(queue),
    )
    return consumed


def test_queues_follow_the_targets_that_are_served(worker):
    consumed = connect(worker, listens_to=())
    consumers = _Consumers(worker)

    consumers.serve(["local", "gpu"])
    consumers.serve(["gpu", "large"])

    assert consumed == {"compute-target.gpu", "compute-target.large"}


def test_those_that_were_named_before_there_was_a_connection_are_taken_up_with_it(worker):
    _Consumers(worker).serve(["local"])

    assert "compute-target.local" in worker.app.amqp.queues.consume_from


def test_one_that_was_named_while_the_connection_was_made_is_taken_up_after_it(worker):
    consumers = _Consumers(worker)
    consumers.serve(["local", "gpu"])

    consumed = connect(worker, listens_to=["compute-target.gpu"])
    consumers.serve(["local", "gpu"])

    assert consumed == {"compute-target.gpu", "compute-target.local"}
