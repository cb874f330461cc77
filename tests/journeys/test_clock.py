"""The clock of the whole product jumps while a script runs: nothing is taken for lost, nothing is run twice."""

import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.journeys.product import Api, running, submit, wait_for_status

pytestmark = [pytest.mark.journey, pytest.mark.process, pytest.mark.redis, pytest.mark.slow]

LOG = "logs/user_logs/std_log.txt"
SCRIPT = b"import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.1)\nprint('whole')\n"
# Python loads this first in every process of the product. What counts the seconds since the machine was started
# goes on evenly, as it does in life.
CLOCK = """
import os, time
from datetime import timedelta
from django.utils import timezone

def jump():
    with open(os.environ["TEST_CLOCK"]) as seconds:
        return float(seconds.read() or 0)

real_time, real_now = time.time, timezone.now
time.time = lambda: real_time() + jump()
timezone.now = lambda: real_now() + timedelta(seconds=jump())
"""


def test_a_clock_that_jumps_an_hour_to_and_fro_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(CLOCK)
    jump, go = tmp_path / "jump", tmp_path / "go"
    jump.write_text("0")
    environment = {"STUDIO_LEASE_SECONDS": "3", "STUDIO_LOST_SECONDS": "4"}
    environment |= {"PYTHONPATH": str(tmp_path), "TEST_CLOCK": str(jump)}
    with running(tmp_path / "home", **environment) as product:
        product.wait_until_ready()
        api = Api(product)
        run_id = submit(api, SCRIPT, arguments=[str(go)])
        wait_for_status(api, run_id, "Running")

        jump.write_text("3600")
        assert _created_at(api, submit(api, b"pass")) - _created_at(api, run_id) > timedelta(minutes=50)
        for seconds in ("3600", "-3600", "0"):
            jump.write_text(seconds)
            time.sleep(8)  # longer than a lease and the time until its end is final
            wait_for_status(api, run_id, "Running")
        later = submit(api, b"print('started after it')\n")
        wait_for_status(api, later, "Completed")
        go.touch()

        wait_for_status(api, run_id, "Completed")
        run = api.get(f"/api/v1/runs/{run_id}").json()
        assert (run["attempt_number"], run["exit_code"]) == (1, 0)
        assert api.get(f"/api/v1/runs/{run_id}/{LOG}").text == "whole\n"


def _created_at(api: Api, run_id: str) -> datetime:
    return datetime.fromisoformat(api.get(f"/api/v1/runs/{run_id}").json()["created_utc"])
