"""What is measured of a side: how much it takes, and how fast it finds."""

import base64
import contextlib
import json
import math
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from bench.beside.calls import CHARTS, Client
from bench.beside.servers import Server

PAGE = 100
SERIES_POINTS, CHART_POINTS = 100_000, 320
_CLIENTS = 8
# How far into the results the deep page lies.
_DEPTH = 0.9


@dataclass
class Side:
    """One column of the table: a server, the way the client speaks to it, and what it has been asked so far."""

    title: str
    server: Server
    experiment_id: str
    writes_id: str
    timeout: float
    acks_at_once: bool = False

    def client(self) -> Client:
        """Return a new connection."""
        return Client(self.server, timeout=self.timeout, acks_at_once=self.acks_at_once)

    @property
    def is_ours(self) -> bool:
        """Whether it is this product."""
        return self.server.name == "studio"


# --- Searches ---------------------------------------------------------------------------

SEARCHES: dict[str, dict[str, Any]] = {
    "newest": {},
    "tag filter": {"filter": "tags.team = 'red'"},
    "metric filter": {"filter": "metrics.accuracy > 0.9"},
    "tag and metric filter": {"filter": "tags.team = 'red' and metrics.accuracy > 0.9"},
    "param LIKE": {"filter": "params.optimizer LIKE 'ada%'"},
    "order by metric": {"order_by": ["metrics.accuracy DESC"]},
    "order by param": {"order_by": ["params.lr DESC"]},
    "tag filter, order by metric": {"filter": "tags.team = 'red'", "order_by": ["metrics.accuracy DESC"]},
}
DEEP = "page at 90 % of the depth"


def search_body(side: Side, name: str, *, count: int) -> dict[str, Any]:
    """Return the request of a search; for the deep page of ours, after a walk to it that is not timed."""
    body = {"experiment_ids": [side.experiment_id], "max_results": PAGE, **SEARCHES.get(name, {})}
    if name != DEEP:
        return body
    depth = int(count * _DEPTH)
    if not side.is_ours:
        # As MLflow writes its own.
        token = base64.b64encode(json.dumps({"offset": depth}).encode()).decode()
        return {**body, "page_token": token}
    client, token = side.client(), ""
    with contextlib.closing(client):
        while depth:
            step = min(depth, 10_000)
            answer = json.loads(client.post("runs/search", {**body, "max_results": step, "page_token": token}))
            token, depth = answer["next_page_token"], depth - step
    return {**body, "page_token": token}


def found(side: Side, body: dict[str, Any]) -> list[str]:
    """Return the ids that a search finds, in order."""
    with contextlib.closing(side.client()) as client:
        return [run["info"]["run_id"] for run in json.loads(client.post("runs/search", body)).get("runs", [])]


def search_ms(side: Side, body: dict[str, Any], *, times: int, seconds: float) -> list[float]:
    """Return how long some searches took, as many as fit into the time but at least one."""
    took: list[float] = []
    ends_at = time.perf_counter() + seconds
    with contextlib.closing(side.client()) as client:
        while len(took) < times and (not took or time.perf_counter() < ends_at):
            took.append(_ms(lambda: client.post("runs/search", body)))
    return took


# --- Writes: each returns how many a second ---------------------------------------------


def create_runs(side: Side, seconds: float) -> float:
    """Runs with 5 params, 5 tags and 10 metrics, by a create and a batch each."""

    def one(client: Client, number: int) -> None:
        run_id = new_run(client, side)
        client.post("runs/log-batch", {"run_id": run_id, **_described(number)})

    return _rate(side, one, seconds, clients=_CLIENTS)


def log_metrics(clients: int) -> Callable[[Side, float], float]:
    """Return what measures single points, by so many clients, each to a run of its own."""

    def measure(side: Side, seconds: float) -> float:
        with contextlib.closing(side.client()) as client:
            run_ids = [new_run(client, side) for _ in range(clients)]

        def one(client: Client, number: int) -> None:
            body = {"run_id": run_ids[number % clients], "key": "single", "value": 0.5}
            client.post("runs/log-metric", {**body, "timestamp": 1_700_000_000_000 + number, "step": number})

        return _rate(side, one, seconds, clients=clients)

    return measure


def log_batches(side: Side, seconds: float) -> float:
    """Points in batches of 1,000, of ten metrics, to one run."""
    with contextlib.closing(side.client()) as client:
        run_id = new_run(client, side)

    def one(client: Client, number: int) -> None:
        client.post("runs/log-batch", {"run_id": run_id, "metrics": points(number * 100, 100, metrics=10)})

    return 1000 * _rate(side, one, seconds, clients=1)


WRITES: dict[str, Callable[[Side, float], float]] = {
    "runs with 5 params, 5 tags, 10 metrics, 8 clients, a second": create_runs,
    "single points, 1 client, a second": log_metrics(1),
    "single points, 8 clients, a second": log_metrics(8),
    "points in batches of 1,000, 1 client, a second": log_batches,
}


def new_run(client: Client, side: Side) -> str:
    """Start a run; return its id."""
    body = {"experiment_id": side.writes_id, "start_time": int(time.time() * 1000), "run_name": uuid.uuid4().hex}
    return str(json.loads(client.post("runs/create", body))["run"]["info"]["run_id"])


def points(start: int, steps: int, *, metrics: int = 1) -> list[dict[str, Any]]:
    """Return points of so many steps of some metrics."""
    return [
        {"key": f"w{name}", "value": math.sin(step) * 0.5, "timestamp": 1_700_000_000_000 + step, "step": step}
        for step in range(start, start + steps)
        for name in range(metrics)
    ]


def _described(number: int) -> dict[str, Any]:
    return {
        "params": [{"key": f"p{place}", "value": str(number + place)} for place in range(5)],
        "tags": [{"key": f"t{place}", "value": str(number + place)} for place in range(5)],
        "metrics": points(0, 1, metrics=10),
    }


def _rate(side: Side, one: Callable[[Client, int], None], seconds: float, *, clients: int) -> float:
    """Return how often a second `one` is done, by so many connections at once."""

    def work(place: int) -> int:
        done = 0
        with contextlib.closing(side.client()) as client:
            while time.perf_counter() < ends_at:
                one(client, place + clients * done)
                done += 1
        return done

    started = time.perf_counter()
    ends_at = started + seconds
    with ThreadPoolExecutor(clients) as pool:
        done = sum(pool.map(work, range(clients)))
    return done / (time.perf_counter() - started)


# --- A long series ----------------------------------------------------------------------


def make_series(side: Side) -> tuple[str, float]:
    """Log a series of 100,000 points in batches; return its run and how many points a second."""
    with contextlib.closing(side.client()) as client:
        run_id = new_run(client, side)
        started = time.perf_counter()
        for start in range(0, SERIES_POINTS, 1000):
            client.post("runs/log-batch", {"run_id": run_id, "metrics": points(start, 1000)})
        return run_id, SERIES_POINTS / (time.perf_counter() - started)


def history_ms(side: Side, run_id: str) -> float:
    """Return how long all points take, in pages as the client asks for them."""
    with contextlib.closing(side.client()) as client:

        def walk() -> None:
            count, token = 0, ""
            while True:
                query = {"run_id": run_id, "metric_key": "w0", "max_results": 25_000}
                answer = client.get("metrics/get-history", **query, **({"page_token": token} if token else {}))
                page = json.loads(answer)
                count, token = count + len(page["metrics"]), page.get("next_page_token", "")
                if not token:
                    break
            if count != SERIES_POINTS:
                raise SystemExit(f"{side.title} has {count:,} points of {SERIES_POINTS:,}.")

        return _ms(walk)


def chart_ms(side: Side, run_id: str) -> float:
    """Return how long a chart of the whole series takes."""
    with contextlib.closing(side.client()) as client:
        query = {"run_ids": [run_id], "metric_key": "w0", "max_results": CHART_POINTS}
        return _ms(lambda: client.get("metrics/get-history-bulk-interval", at=CHARTS, **query))


def _ms(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def in_turns(sides: list[Side], rounds: int) -> Iterator[Side]:
    """Yield the sides so that all see the same machine, each time in another order."""
    for turn in range(rounds):
        yield from sides[turn % len(sides) :] + sides[: turn % len(sides)]


def percentile(values: list[float], share: float) -> float:
    """Return the value below which this share of `values` lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def middle(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)
