"""`manage.py up` from outside: what it prints, what it survives, and that it leaves nothing behind."""

import re
import signal
import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.journeys.product import ANSWER_SECONDS, Api, eventually, running, submit, wait_for_status

pytestmark = [pytest.mark.journey, pytest.mark.process, pytest.mark.redis, pytest.mark.slow]

PARTS = ["studio-web", "studio-worker", "studio-beat", "valkey-server"]
SLEEPER = b"import time\nprint('begun', flush=True)\ntime.sleep(600)\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_the_first_start_prints_a_link_that_signs_in_once(home: Path) -> None:
    with running(home, is_first=True) as product:
        product.wait_until_ready()

        first, second = _follow(product.link), _follow(product.link)

        assert first.status_code == 302
        assert second.status_code == 410
        assert product.address in product.manage("sign_in_link").stdout


def test_the_data_is_for_its_owner_alone(home: Path) -> None:
    with running(home, is_first=True) as product:
        product.wait_until_ready()

        assert [path for path in [home, *home.rglob("*")] if _is_open_to_others(path)] == []


def test_a_second_start_on_the_same_data_says_so_and_ends(home: Path) -> None:
    with running(home) as product:
        product.wait_until_ready()

        second = product.manage("up", "--port", "0")

        assert second.returncode == 1
        assert "runs on this data already" in second.stderr
        assert product.address in second.stderr


def test_a_port_that_is_taken_is_said_so(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        with running(home, "--port", port) as product:
            product.process.wait(120)

    assert product.process.returncode == 1
    assert f"Port {port} of 127.0.0.1 cannot be used" in product.output


def test_its_port_is_given_to_nobody_else_while_the_web_server_is_away(home: Path) -> None:
    with running(home, "--only", "web") as product:
        product.wait_for("Ctrl-C stops it")
        product.parts()["studio-web"].kill()
        product.wait_for("starting it again")

        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", urlsplit(product.address).port))


def test_every_part_that_dies_is_started_again(home: Path) -> None:
    with running(home, REDIS_URL="") as product:
        product.wait_until_ready()
        before = {name: product.parts()[name] for name in PARTS}

        [process.kill() for process in before.values()]

        eventually(lambda: product.output.count("starting it again in 1 s") == len(PARTS), about=lambda: product.output)
        eventually(lambda: set(PARTS) <= set(product.parts()))
        product.wait_until_ready()
        after = {process.pid for process in product.parts().values()}
        assert {process.pid for process in before.values()}.isdisjoint(after)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everything_within_ten_seconds(home: Path, number: int) -> None:
    with running(home) as product:
        product.wait_until_ready()

        product.stop_all(number)

        assert product.process.returncode == 0


def test_nothing_outlives_a_parent_that_is_killed(home: Path) -> None:
    with running(home) as product:
        product.wait_until_ready()

        product.stop_all(signal.SIGKILL)

        assert product.process.returncode == -signal.SIGKILL


def test_stopping_cancels_what_runs_and_says_why(home: Path) -> None:
    with running(home) as product:
        product.wait_until_ready()
        api = Api(product)
        run_id = submit(api, SLEEPER)
        wait_for_status(api, run_id, "Running")

        product.stop_all()

    with running(home) as again:
        again.wait_until_ready()
        run = Api(again).get(f"/api/v1/runs/{run_id}").json()
        assert run["status"] == "Canceled"
        assert "server was stopped" in run["reason"]


def test_keep_runs_leaves_them_running_for_the_next_start(home: Path) -> None:
    with running(home, "--keep-runs") as product:
        product.wait_until_ready()
        run_id = submit(Api(product), SLEEPER)
        wait_for_status(Api(product), run_id, "Running")

        product.stop()

        with running(home) as again:
            again.wait_until_ready()
            assert Api(again).get(f"/api/v1/runs/{run_id}").json()["status"] == "Running"
            again.stop_all()
        eventually(lambda: not product.processes())


def test_a_run_goes_through_without_a_broker(home: Path) -> None:
    with running(home, REDIS_URL="redis://127.0.0.1:1/0") as product:
        product.wait_for("Ctrl-C stops it")

        run_id = submit(Api(product), b"print('done')\n")

        wait_for_status(Api(product), run_id, "Completed")
        assert httpx.get(f"{product.address}/readyz", timeout=ANSWER_SECONDS).json()["missing"] == ["broker"]


def test_only_web_starts_nothing_else(home: Path) -> None:
    with running(home, "--only", "web") as product:
        product.wait_for("Ctrl-C stops it")

        assert list(product.parts()) == ["studio-web"]


def test_only_worker_serves_the_targets_that_are_named(home: Path) -> None:
    with running(home) as product:
        product.wait_until_ready()
        product.manage("compute_target", "create", "gpu")

        with running(home, "--only", "worker", "--targets", "gpu") as worker:
            worker.wait_for("worker runs")
            api = Api(product)
            eventually(
                lambda: ["gpu"] in [row["compute_targets"] for row in api.get("/api/v1/workers").json()["items"]]
            )
            worker.stop_all()


def test_only_worker_wants_a_database_of_this_version(home: Path) -> None:
    with running(home, "--only", "worker", is_first=True) as product:
        product.process.wait(120)

        assert product.process.returncode == 1
        assert "--only web" in product.output


def _is_open_to_others(path: Path) -> bool:
    with suppress(FileNotFoundError):  # a file of a moment
        return not path.is_symlink() and bool(path.lstat().st_mode & 0o077)
    return False


def _follow(link: str) -> httpx.Response:
    """Open the link and press its button."""
    with httpx.Client(timeout=ANSWER_SECONDS) as browser:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.get(link).text)
        return browser.post(link, data={"csrfmiddlewaretoken": token[1]}, headers={"Referer": link})
