"""A worker on another machine: it shares database and broker with the web server, and no folder.

The machines are one; the worker's view of the disk has an empty folder where the web
server's data lies.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from tests.journeys import servers
from tests.journeys.product import ANSWER_SECONDS, Api, Product, eventually, running, submit, wait_for_status

pytestmark = [pytest.mark.journey, pytest.mark.process, pytest.mark.redis, pytest.mark.slow, pytest.mark.postgres]

LOG = "logs/user_logs/std_log.txt"
COUNTER = b"""
import os, pathlib, sys, time
print("code:", sorted(os.listdir(".")), flush=True)
number = 0
while not os.path.exists(sys.argv[1]):  # until it is let go
    print("line", number, flush=True)
    number += 1
    time.sleep(0.01)
pathlib.Path("outputs/model.bin").write_bytes(bytes(range(256)) * 40_000)
"""
SLEEPER = b"import time\nprint('begun', flush=True)\ntime.sleep(600)\n"


@dataclass
class Site:
    web: Product
    worker: Product
    api: Api


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root: Path = tmp_path_factory.mktemp("machines")
    (root / "web").mkdir()
    with ExitStack() as stack:
        shared = {
            "DATABASE_URL": stack.enter_context(servers.postgres()),
            "REDIS_URL": stack.enter_context(servers.redis(root)),
        }
        quick = {"STUDIO_LEASE_SECONDS": "3", "STUDIO_LOST_SECONDS": "4"}
        web = stack.enter_context(running(root / "web", "--only", "web", **shared, **quick))
        web.wait_for("Ctrl-C stops it")
        blind = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs none {root / "web"} && exec "$@"', "sh"]
        far = {"STUDIO_URL": web.address, "STUDIO_STORAGE": "http"}
        worker = stack.enter_context(
            running(root / "worker", "--only", "worker", prefix=blind, **shared, **quick, **far)
        )
        web.wait_until_ready()
        yield Site(web, worker, Api(web))


@pytest.fixture
def go(tmp_path: Path) -> Path:
    """A file whose making lets a script go."""
    return tmp_path / "go"


def test_a_run_there_is_shown_here_as_if_it_were_here(site: Site, go: Path) -> None:
    run_id = submit(site.api, COUNTER, arguments=[str(go)])

    eventually(lambda: "line 5\n" in site.api.get(f"/api/v1/runs/{run_id}/{LOG}").text)
    wait_for_status(site.api, run_id, "Running")
    with signed_in(site.web) as browser:
        assert "line 5" in browser.get(f"{site.web.address}/runs/{run_id}/outputs/").text

    go.touch()
    wait_for_status(site.api, run_id, "Completed")
    code, *lines = site.api.get(f"/api/v1/runs/{run_id}/{LOG}").text.splitlines()
    assert code == "code: ['logs', 'main.py', 'outputs']"
    assert lines == [f"line {number}" for number in range(len(lines))]
    model = site.api.get(f"/api/v1/runs/{run_id}/artifacts/outputs/model.bin").content
    assert model == bytes(range(256)) * 40_000
    assert "Collected 1 files" in site.api.get(f"/api/v1/runs/{run_id}/logs/system_logs/run.txt").text
    eventually(lambda: not list(site.worker.home.glob("work/*")))


def test_a_web_server_that_dies_on_the_way_costs_no_line(site: Site, go: Path) -> None:
    run_id = submit(site.api, COUNTER, arguments=[str(go)])
    eventually(lambda: "line 5\n" in site.api.get(f"/api/v1/runs/{run_id}/{LOG}").text)

    dying = site.web.parts()["studio-web"]
    dying.kill()

    # Not before: for a moment a process that it had forked goes on to answer.
    eventually(lambda: site.web.parts().get("studio-web") not in (None, dying))
    eventually(lambda: is_up(site.web))
    go.touch()
    wait_for_status(site.api, run_id, "Completed")
    lines = site.api.get(f"/api/v1/runs/{run_id}/{LOG}").text.splitlines()[1:]
    assert lines == [f"line {number}" for number in range(len(lines))]


def test_what_a_killed_supervisor_could_not_send_its_machine_sends(site: Site) -> None:
    run_id = submit(site.api, b"import os, signal\nprint('the last words', flush=True)\n" + SLEEPER)
    wait_for_status(site.api, run_id, "Running")
    asked = site.worker.manage(
        "shell", "-c", "from runs.models import Attempt; print(Attempt.objects.live().get().pid)"
    )
    supervisor = psutil.Process(int(asked.stdout.split()[-1]))
    logs = site.worker.home / "work"
    eventually(lambda: any(b"begun\n" in log.read_bytes() for log in logs.glob("*/outbox/**/std_log.txt")))

    supervisor.kill()

    wait_for_status(site.api, run_id, "Failed")
    assert "the last words\nbegun\n" in site.api.get(f"/api/v1/runs/{run_id}/{LOG}").text


def is_up(web: Product) -> bool:
    try:
        return httpx.get(f"{web.address}/healthz", timeout=ANSWER_SECONDS).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def signed_in(web: Product) -> Iterator[httpx.Client]:
    with httpx.Client(follow_redirects=True, timeout=ANSWER_SECONDS) as browser:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.get(web.link).text)
        browser.post(web.link, data={"csrfmiddlewaretoken": token[1]}, headers={"Referer": web.link})
        yield browser
