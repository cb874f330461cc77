"""What a Celery worker starts beside its consumer: the agent, with or without a broker."""

from collections.abc import Iterable
from typing import Any

from celery import bootsteps
from celery.worker import consumer

from runs import dispatch


class Consumer(consumer.Consumer):
    """Celery's consumer, for which whatever goes wrong with a message is a lost connection, and no end of the worker.

    Anybody who reaches the broker can put something into a queue that is no message, and
    what Celery makes of a broker that dies at a bad moment is not always an error of a
    connection. A new connection is made in milliseconds; the agent needs none.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connection_errors = (Exception,)


class AgentStep(bootsteps.StartStopStep):
    """Starts the agent before the consumer connects, which without a broker it never does."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **_: object) -> None:
        self.agent: Any = None

    def start(self, worker: Any) -> None:
        """Start the agent."""
        from runs.execution import agent  # needs the app registry

        self.agent = agent.Agent(_Consumers(worker))
        self.agent.start()

    def stop(self, worker: Any) -> None:
        """Say goodbye. Scripts go on under their supervisors."""
        if self.agent is not None:
            self.agent.close()
            self.agent = None

    terminate = stop


class _Consumers:
    """The worker's queues, changed from the agent's thread."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._served: set[str] = set()

    def serve(self, compute_target_names: Iterable[str]) -> None:
        wanted = {dispatch.queue_name(name) for name in compute_target_names}
        # One that was named just when the consumer made its connection may have been left out of it.
        left_out = {queue for queue in wanted & self._served if self._is_left_out(queue)}
        for queue in sorted((wanted - self._served) | left_out):
            self._change(queue, is_wanted=True)
        for queue in sorted(self._served - wanted):
            self._change(queue, is_wanted=False)
        self._served = wanted

    def has_broker(self) -> bool:
        consumer = getattr(self._worker, "consumer", None)
        return bool(consumer and consumer.task_consumer and consumer.connection and consumer.connection.connected)

    def _is_left_out(self, queue: str) -> bool:
        task_consumer = getattr(getattr(self._worker, "consumer", None), "task_consumer", None)
        return self.has_broker() and task_consumer is not None and not task_consumer.consuming_from(queue)

    def _change(self, queue: str, *, is_wanted: bool) -> None:
        queues = self._worker.app.amqp.queues
        consumer = getattr(self._worker, "consumer", None)
        if consumer is not None and consumer.task_consumer is not None:
            # The connection belongs to the consumer's thread.
            consumer.call_soon(consumer.add_task_queue if is_wanted else consumer.cancel_task_queue, queue)
        elif is_wanted:
            queues.select_add(queue)  # taken up with the next connection
        else:
            queues.deselect(queue)
