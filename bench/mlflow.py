"""Compare this product with a real MLflow server, side by side: `python bench/mlflow.py [--runs 1000,10000,100000]`.

Installs MLflow into a virtual environment of its own, runs its server with one worker and
with the four that it takes by itself, and this product, each kind on a database of its
own that has the same runs. The same client asks all of them in turns and, at each size,
first checks that they answer the same. All on loopback, in a temporary folder, bounded in
time; nothing is left.
"""

import argparse
import contextlib
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Beside this file lies nothing to import, and `mlflow` would be this file.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench.beside import measures, seeding, servers  # noqa: E402 - after the path
from bench.beside.calls import NoAnswer  # noqa: E402
from bench.beside.measures import Side  # noqa: E402

_ROUNDS = 3


class Table:
    """Prints the table, row by row. A row has a figure for each side, the last one being ours."""

    def __init__(self) -> None:
        self._worst: list[tuple[float, str]] = []

    def head(self, sides: list[Side], title: str) -> None:
        """Begin a table."""
        print(f"\n| {title} | {' | '.join(side.title for side in sides)} | ratio |")
        print(f"| --- | {'---: | ' * len(sides)}---: |", flush=True)

    def row(self, what: str, values: list[float], *, more_is_better: bool = False, note: str = "") -> None:
        """Print a row, with the ratio to the best of the others. Infinity is no answer."""
        *others, own = values
        best = max(others) if more_is_better else min(others)
        ratio = own / best if more_is_better else best / own
        shown = " | ".join("no answer" if value == float("inf") else f"{value:,.4g}" for value in values)
        print(f"| {what} | {shown} | {ratio:.1f}{note} |", flush=True)
        self._worst.append((ratio, what))

    def tell_worst(self) -> None:
        """Print the rows with the least ratios."""
        print("\nLeast ratios:")
        for ratio, what in sorted(self._worst)[:5]:
            print(f"  {ratio:6.1f}  {what}")


@contextlib.contextmanager
def running(tools: Path, ours: servers.Place, theirs: servers.Place, timeout: float) -> Iterator[list[Side]]:
    """Run all servers; yield a side for each way to be compared with, and ours last."""
    with (
        servers.mlflow(tools, theirs, workers=1) as one,
        servers.mlflow(tools, theirs, workers=None) as four,
        servers.studio(ours) as studio,
    ):
        sides = [
            Side("MLflow, 1 worker", one, "", "", timeout),
            Side("MLflow, 4 workers (its default)", four, "", "", timeout),
            # What the default would be without its socket option: see docs/benchmarks.md.
            Side("the same, client acks at once", four, "", "", timeout, acks_at_once=True),
            Side("Studio", studio, "", "", timeout),
        ]
        for side in sides:
            side.experiment_id, side.writes_id = (_experiment(side, name) for name in ("tracking", "writes"))
        yield sides


def _experiment(side: Side, name: str) -> str:
    with contextlib.closing(side.client()) as client:
        found = json.loads(client.post("experiments/search", {"max_results": 100})).get("experiments", [])
        known = {one["name"]: str(one["experiment_id"]) for one in found}
        return known.get(name) or str(json.loads(client.post("experiments/create", {"name": name}))["experiment_id"])


def search(table: Table, sides: list[Side], name: str, *, count: int, seconds: float, is_hopeless: bool) -> None:
    """Measure a search on all sides, or on ours alone where it `is_hopeless` on MLflow. Raises NoAnswer."""
    asked = sides[-1:] if is_hopeless else sides
    bodies = {side.title: measures.search_body(side, name, count=count) for side in asked}
    answers = [measures.found(side, bodies[side.title]) for side in asked]
    if not answers[0] or any(answer != answers[0] for answer in answers):
        raise SystemExit(f"{name}: the sides find {', '.join(str(len(answer)) for answer in answers)} runs, or others.")
    took: dict[str, list[float]] = {side.title: [] for side in sides}
    for side in asked:  # each thread or worker of each side once
        measures.search_ms(side, bodies[side.title], times=8, seconds=seconds / _ROUNDS)
    for side in measures.in_turns(asked, _ROUNDS):
        took[side.title] += measures.search_ms(side, bodies[side.title], times=10, seconds=seconds / _ROUNDS)
    for share, words in ((0.5, "p50"), (0.95, "p95")):
        values = [measures.percentile(took[side.title] or [float("inf")], share) for side in sides]
        table.row(f"{name}, {words} ms", values)


def write(table: Table, sides: list[Side], *, seconds: float) -> None:
    """Measure what is logged."""
    for name, measure in measures.WRITES.items():
        rates: dict[str, list[float]] = {side.title: [] for side in sides}
        for side in sides:
            measure(side, min(1.0, seconds / _ROUNDS))
        for side in measures.in_turns(sides, _ROUNDS):
            rates[side.title].append(measure(side, seconds / _ROUNDS))
        table.row(name, [measures.middle(rates[side.title]) for side in sides], more_is_better=True)


def read_series(table: Table, sides: list[Side]) -> None:
    """Measure a long series: logged, read whole, and drawn."""
    made = [measures.make_series(side) for side in sides]
    points = f"{measures.SERIES_POINTS:,} points"
    table.row(
        f"one series of {points}, in batches of 1,000, points a second", [m[1] for m in made], more_is_better=True
    )
    for what, measure in ((f"all {points}, ms", measures.history_ms), ("chart of them, ms", measures.chart_ms)):
        took: dict[str, list[float]] = {side.title: [] for side in sides}
        for side in measures.in_turns(sides, _ROUNDS):
            took[side.title].append(measure(side, made[sides.index(side)][0]))
        table.row(what, [measures.middle(took[side.title]) for side in sides])


def play_real_client(table: Table, tools: Path, sides: list[Side], *, seconds: float) -> None:
    """Measure what users of the real client wait for, its own work included."""
    asked = [side for side in sides if not side.acks_at_once]
    took = [servers.play(tools, side.server, seconds=seconds) for side in asked]
    table.head(asked, "the real client, ms")
    for what in took[0]:
        table.row(f"{what} (client)", [one[what] for one in took])


def main() -> None:
    """Measure all and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", default="1000,10000,100000", help="sizes at which to measure (1000,10000,100000)")
    parser.add_argument("--seconds", type=float, default=6, help="how long each is measured on each side (default: 6)")
    parser.add_argument("--timeout", type=float, default=40, help="how long to wait for an answer (default: 40 s)")
    parser.add_argument("--minutes", type=float, default=45, help="measure nothing more after this (default: 45)")
    parser.add_argument("--database", default="", help="postgres://... whose server gets two databases; else SQLite")
    options = parser.parse_args()
    # Else what was started here would go on.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sizes = sorted(int(size) for size in options.runs.split(","))
    ends_at = time.monotonic() + 60 * options.minutes
    table = Table()
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before, Python {platform.python_version()},"
        f" {servers.MLFLOW}, {'PostgreSQL' if options.database else 'SQLite'}"
    )
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="studio-bench-")))
        tools = stack.enter_context(servers.environment(folder))
        ours, theirs = stack.enter_context(servers.places(folder, options.database))
        servers.make_schema_of_mlflow(tools, theirs)
        with running(tools, ours, theirs, options.timeout) as sides:
            own, other = int(sides[-1].experiment_id), int(sides[0].experiment_id)
        seeded, hopeless = 0, set[str]()
        for size in sizes:
            if time.monotonic() > ends_at:
                print(f"\nNot measured at {size:,} runs: {options.minutes:g} minutes are over.")
                break
            started = time.monotonic()
            with ThreadPoolExecutor(1) as beside:
                is_ours_done = beside.submit(seeding.seed_studio, ours, experiment_id=own, first=seeded, last=size)
                seeding.seed_mlflow(theirs, experiment_id=other, first=seeded, last=size)
                is_ours_done.result()
            print(f"\nseeded {size - seeded:,} runs in {time.monotonic() - started:.0f} s")
            seeded = size
            left = [*measures.SEARCHES, measures.DEEP]
            is_begun = False
            while left:
                with running(tools, ours, theirs, options.timeout) as sides:
                    if not is_begun:
                        table.head(sides, f"{size:,} runs")
                        is_begun = True
                        write(table, sides, seconds=options.seconds)
                        if size == sizes[0]:
                            read_series(table, sides)
                    while left:
                        if time.monotonic() > ends_at:
                            print(f"\nNot measured: {', '.join(left)}. {options.minutes:g} minutes are over.")
                            left.clear()
                            break
                        try:
                            search(
                                table, sides, left[0], count=size, seconds=options.seconds,
                                is_hopeless=left[0] in hopeless,
                            )  # fmt: skip
                        except NoAnswer:
                            # The query goes on in its server, and takes a core from everybody: all are started anew.
                            hopeless.add(left[0])
                            break
                        left.pop(0)
                    if not left:
                        table.row("memory, MiB", [side.server.memory_mib() for side in sides])
                        if size == sizes[0]:
                            play_real_client(table, tools, sides, seconds=options.seconds / 2)
    table.tell_worst()
    print(f"\nload {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()
