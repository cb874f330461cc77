"""A new version is put into place while scripts run: web, worker and beat are replaced, the scripts go on."""

import pytest

from tests.journeys.product import Api, eventually, running, submit, wait_for_status

pytestmark = [pytest.mark.journey, pytest.mark.process, pytest.mark.redis, pytest.mark.slow]

SCRIPT_COUNT = 20
LOG = "logs/user_logs/std_log.txt"
# Numbers its lines until it is told to end, and ends well.
SCRIPT = b"""
import os, sys, time
number = 0
while not os.path.exists(sys.argv[1]):
    print("line", number, flush=True)
    number += 1
    time.sleep(0.2)
print("end", number, flush=True)
"""


def test_scripts_go_on_while_everything_around_them_is_replaced(tmp_path) -> None:
    home = tmp_path / "home"
    with running(home, "--workers", str(SCRIPT_COUNT), "--keep-runs") as old:
        old.wait_until_ready()
        api = Api(old)
        run_ids = [submit(api, SCRIPT, arguments=[str(tmp_path / "end")]) for _ in range(SCRIPT_COUNT)]
        for run_id in run_ids:
            wait_for_status(api, run_id, "Running")
        before = {name: old.parts()[f"studio-{name}"].pid for name in ("web", "worker", "beat")}
        old.stop()

        with running(home) as new:
            new.wait_until_ready()
            api = Api(new)
            assert {api.get(f"/api/v1/runs/{run_id}").json()["status"] for run_id in run_ids} == {"Running"}
            assert set(before.values()).isdisjoint(
                new.parts()[f"studio-{name}"].pid for name in ("web", "worker", "beat")
            )
            (tmp_path / "end").touch()
            late = submit(api, b"print('the new version starts runs')\n")
            for run_id in [*run_ids, late]:
                wait_for_status(api, run_id, "Completed")

            logs = [api.get(f"/api/v1/runs/{run_id}/{LOG}").text.splitlines() for run_id in run_ids]
            runs = [api.get(f"/api/v1/runs/{run_id}").json() for run_id in run_ids]
            assert logs == [[*(f"line {n}" for n in range(len(log) - 1)), f"end {len(log) - 1}"] for log in logs]
            assert {(run["attempt_number"], run["exit_code"]) for run in runs} == {(1, 0)}
            eventually(lambda: not list(home.glob("work/*")))
