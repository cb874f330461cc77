"""A wide pipeline: `python bench/pipelines.py [--steps 1000] [--wide 50] [--seconds 12]`.

Submits a pipeline of so many steps that do nothing for a while, so many side by side, each
after one of the row above, with a slot for each of a row, and real workers. Prints the
scheduling overhead: from the end of a step's last parent, as the rows have it, to its own
script's start. The first row ends one after another, so that starts are spread as in life
and not a queue for the processor. On loopback, bounded, nothing is left. Exits with 1 if
the pipeline does not complete.
"""

import argparse
import json
import os
import statistics
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import latency

_SLACK_SECONDS = 600


def main() -> int:
    """Do it; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--wide", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=12.0, help="what each step does nothing for")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before", flush=True)
    with latency.server(slots=options.wide) as served:
        body = {"experiment": "bench", "definition": _definition(options.steps, options.wide, options.seconds)}
        asked = time.monotonic()
        run_id = served.call("POST", "/pipelines/runs", json.dumps(body).encode())["run_id"]
        print(f"submitted {options.steps:,} steps in {time.monotonic() - asked:.2f} s", flush=True)
        deadline = time.monotonic() + options.seconds * (2 + options.steps / options.wide) + _SLACK_SECONDS
        while served.status(run_id) == "Running" and time.monotonic() < deadline:
            time.sleep(2)
        ended = time.monotonic() - asked
        run = served.call("GET", f"/pipelines/runs/{run_id}")
    overheads = sorted(_overheads(run["steps"]))
    print(f"{run['status']} {run['reason']} after {ended:.0f} s")
    if overheads:
        middle, nearly_all = statistics.median(overheads), overheads[int(0.95 * (len(overheads) - 1))]
        print(
            f"last parent's end to the script's start, {len(overheads)} steps: median {middle:.3f} s,"
            f" p95 {nearly_all:.3f} s, greatest {overheads[-1]:.3f} s"
        )
    print(f"load {os.getloadavg()[0]:.1f} after")
    return 0 if run["status"] == "Completed" else 1


def _definition(steps: int, wide: int, seconds: float) -> dict[str, Any]:
    described = {}
    for number in range(steps):
        row, column = divmod(number, wide)
        # Of the first row, each ends a little later than the one before.
        pause = seconds if row else seconds * (column + 1) / wide
        described[f"s{row}-{column}"] = {
            "command": ["sleep", f"{pause:.2f}"],
            "depends_on": [f"s{row - 1}-{column}"] if row else [],
            "allow_reuse": False,
        }
    return {"name": "wide", "steps": described}


def _overheads(steps: list[dict[str, Any]]) -> list[float]:
    ends = {step["name"]: _time(step["ended_at"]) for step in steps if step["ended_at"]}
    return [
        _time(step["started_at"]) - max(ends[name] for name in step["depends_on"])
        for step in steps
        if step["depends_on"] and step["started_at"]
    ]


def _time(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


if __name__ == "__main__":
    sys.exit(main())
