"""A worker listens to the queues of its compute targets, whenever its consumer comes to be connected."""

from functools import partial
from types import SimpleNamespace

import pytest
from celery import Celery
from celery.worker.consumer import Consumer

from studio.worker import _Consumers


@pytest.fixture
def worker():
    """A worker whose consumer is not connected yet."""
    with Celery(broker="memory://", set_as_current=False) as app:
        yield SimpleNamespace(app=app, consumer=None)


@pytest.fixture
def connect(worker):
    """Connects it, as Celery does, to a broker in this process; nothing but the event loop is left out."""
    with worker.app.connection_for_read() as connection:

        def connected(*, listens_to):
            queues = [worker.app.amqp.queues.select_add(queue) for queue in listens_to]
            task_consumer = worker.app.amqp.TaskConsumer(connection.default_channel, queues=queues)
            consumer = SimpleNamespace(app=worker.app, connection=connection, task_consumer=task_consumer)
            consumer.add_task_queue = partial(Consumer.add_task_queue, consumer)
            consumer.cancel_task_queue = partial(Consumer.cancel_task_queue, consumer)
            consumer.call_soon = lambda change, queue: change(queue)
            worker.consumer = consumer
            return lambda: {queue.name for queue in task_consumer.queues}

        yield connected


def test_queues_follow_the_targets_that_are_served(worker, connect):
    heard = connect(listens_to=["own"])
    consumers = _Consumers(worker)

    consumers.serve(["local", "gpu"])
    consumers.serve(["gpu", "large"])

    assert heard() == {"own", "compute-target.gpu", "compute-target.large"}


def test_those_that_were_named_before_there_was_a_connection_are_taken_up_with_it(worker):
    _Consumers(worker).serve(["local"])

    assert "compute-target.local" in worker.app.amqp.queues.consume_from


def test_one_that_was_named_while_the_connection_was_made_is_taken_up_after_it(worker, connect):
    consumers = _Consumers(worker)
    consumers.serve(["local", "gpu"])
    heard = connect(listens_to=["compute-target.gpu"])

    consumers.serve(["local", "gpu"])

    assert heard() == {"compute-target.gpu", "compute-target.local"}
