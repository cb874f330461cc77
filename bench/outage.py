"""Time what logging costs a script while the server is away: `python bench/outage.py [--seconds 60]`.

Starts the product in a temporary folder and a script that logs 100 points a second, ends the
web server by force as often as it comes back for that long, and prints how long the script's
calls took with the server there and without it, what it warned of, and how many of its points
arrived, in which order. All on loopback, bounded, nothing is left.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from urllib.parse import urlsplit

import psutil
from latency import ROOT, Server, server

_SCRIPT = """
import json, sys, time
import studio_sdk.azureml_alias
from azureml.core import Experiment, Workspace

run = Experiment(Workspace.get("default"), "outage").start_logging(snapshot_directory=None)
print(run.id, flush=True)
calls = []
ends_at = time.monotonic() + float(sys.argv[1])
number = 0
while time.monotonic() < ends_at:
    before = time.monotonic()
    run.log("loss", number)
    calls.append((time.time(), time.monotonic() - before))
    number += 1
    time.sleep(0.01)
before = time.monotonic()
run.complete()
print(json.dumps({"calls": calls, "end": time.monotonic() - before}))
"""


def keep_web_away(served: Server, seconds: float) -> int:
    """Kill whatever listens at the server's port, for so long; return how many processes that were."""
    port = urlsplit(served.address).port
    killed, ends_at = 0, time.monotonic() + seconds
    while time.monotonic() < ends_at:
        for process in psutil.Process(served.process.pid).children(recursive=True):
            try:
                if any(place.laddr.port == port for place in process.net_connections() if place.status == "LISTEN"):
                    process.kill()
                    killed += 1
            except psutil.Error:
                continue
        time.sleep(0.02)
    return killed


def say(what: str, seconds: list[float]) -> None:
    """Print one row of the table, in microseconds."""
    ordered = sorted(1e6 * each for each in seconds)
    high = ordered[round(0.99 * (len(ordered) - 1))]
    print(f"| {what} | {len(ordered)} | {statistics.median(ordered):.1f} | {high:.1f} | {ordered[-1]:.0f} |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60, help="how long the server is away (default: 60)")
    options = parser.parse_args()
    with server(slots=1) as served:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "sdk"),
            "STUDIO_URL": served.address,
            "STUDIO_TOKEN": served.token,
        }
        command = [sys.executable, "-c", _SCRIPT, str(options.seconds + 10)]
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as script:
            assert script.stdout is not None
            run_id = script.stdout.readline().strip()
            time.sleep(5)
            since = time.time()
            kills = keep_web_away(served, options.seconds)
            until = time.time()
            out, err = script.communicate(timeout=120)
        if script.returncode:
            raise SystemExit(f"the script failed: {err}")
        answer = json.loads(out)
        values = []
        page = served.call("GET", f"/runs/{run_id}/metrics/loss?limit=1000")
        while True:
            values += [point["value"] for point in page["items"]]
            if not page["next"]:
                break
            page = served.call("GET", f"/runs/{run_id}/metrics/loss?limit=1000&cursor={page['next']}")
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {kills} web processes killed")
        print("| microseconds of a call | calls | median | p99 | greatest |\n| --- | ---: | ---: | ---: | ---: |")
        away = [took for at, took in answer["calls"] if since <= at < until]
        say("server there", [took for at, took in answer["calls"] if not since <= at < until])
        say(f"server away for {options.seconds:g} s", away)
        in_order = values == list(range(len(answer["calls"])))
        print(f"{len(values)} of {len(answer['calls'])} points arrived, {'in order' if in_order else 'NOT in order'};")
        print(
            f"status {served.status(run_id)}, the script's end took {answer['end']:.2f} s; it warned: {err.strip()!r}"
        )


if __name__ == "__main__":
    main()
