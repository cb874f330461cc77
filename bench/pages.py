"""Time the pages and lists on a seeded database, inside one process and without a network.

    STUDIO_HOME=/some/home python manage.py seed_demo --runs 1000000
    STUDIO_HOME=/some/home python bench/pages.py [--times 20] [--user admin] [--only tag] [--rows 100000]

Prints for each address the number of queries, and the time to the whole answer in
milliseconds: p50, p95 and the greatest, and the median of the processor time of this
process, which with SQLite is all the work there is and does not mind what else the
machine does. The first call of each, which fills caches, is shown apart. A figure holds
for the machine it was taken on; compare runs on one machine.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
os.environ["STUDIO_LOG_LEVEL"] = "ERROR"

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.urls import reverse  # noqa: E402

from runs.management import parts  # noqa: E402
from runs.models import Experiment, Run, Workspace  # noqa: E402


def addresses(workspace: Workspace) -> dict[str, str]:
    """Return what to ask for: the largest experiment, its pages, searches dense, sparse and vain, orders, the admin."""
    largest = Experiment.objects.filter(workspace=workspace).order_by("-latest_run_number").first()
    latest = Run.objects.filter(experiment=largest).order_by("-id").first()
    parent = Run.objects.filter(experiment=largest, children__isnull=False).order_by("-id").first()
    if largest is None or latest is None or parent is None:
        raise SystemExit("There is nothing to measure: run manage.py seed_demo first.")
    experiment = reverse("experiment_detail", args=[workspace.name, largest.name])
    everything = reverse("pipeline_list", args=[workspace.name])
    typing = reverse("search_completion", args=[workspace.name])
    compared = (
        Run.objects.filter(experiment=largest, status="Completed").order_by("-id").values_list("run_id", flat=True)
    )
    tags = "tags.quality:%22fantastic+run%22"
    never = "tags.trigger:schedule+tags.notebook:explore.ipynb"
    return {
        "home": reverse("workspace_home", args=[workspace.name]),
        "experiments": reverse("experiment_list", args=[workspace.name]),
        "experiment": experiment,
        "experiment, with children": f"{experiment}?children=1",
        "experiment, tree open": f"{experiment}?open={parent.run_id}",
        "experiment, failed": f"{experiment}?q=status:failed",
        "experiment, tag": f"{experiment}?q={tags}",
        **{
            f"{where}, by {order}": f"{address}?order={order}"
            for where, address in (("experiment", experiment), ("all runs", everything))
            for order in ("-metrics.loss.min", "params.learning_rate", "-params.model", "tags.dataset", "-tags.stage")
        },
        "failed, by metric": f"{experiment}?q=status:failed+order:metrics.loss",
        "tag, by param": f"{everything}?q=tags.trigger:schedule+order:-params.batch_size",
        "rare tag, by tag": f"{everything}?q={tags}+order:tags.dataset",
        "two tags that never meet": f"{everything}?q={never}",
        "the same, by metric": f"{everything}?q={never}+order:metrics.loss",
        "metric and tag, vain": f"{everything}?q=metrics.loss>100+tags.trigger:schedule",
        "metric and param, never": f"{everything}?q=metrics.auc>0.6+params.model:bert-base",
        "short word, vain": f"{everything}?q=%C3%BC%C3%BC",
        "all runs": everything,
        "all runs, tag": f"{everything}?q={tags}",
        "all runs, word": f"{everything}?q=fantastic",
        "all runs, two words": f"{everything}?q=fantastic+baseline",
        "all runs, no such word": f"{everything}?q=xyzzyplugh",
        "all runs, mine": f"{everything}?q=submitter:me",
        "typing: tags.": f"{typing}?q=tags.",
        "typing: a tag's value": f"{typing}?q=tags.dataset:l",
        "typing: order:metrics.v": f"{typing}?q=order:-metrics.v",
        "run": reverse("run_detail", args=[latest.run_id]),
        "child runs": reverse("run_children", args=[parent.run_id]),
        "compare 20": reverse("run_compare", args=[workspace.name]) + f"?runs={','.join(compared[:20])}",
        "compute": reverse("compute_list"),
        "admin, runs": reverse("admin:runs_run_changelist"),
        "admin, search": reverse("admin:runs_run_changelist") + f"?q={latest.run_id}",
    }


def export(client: Client, workspace: Workspace, rows: int) -> None:
    """Print how long the first byte of a file takes, and how fast the rows of it come."""
    for order in ("-created", "metrics.loss", "params.learning_rate"):
        started, busy = time.perf_counter(), time.process_time()
        response = client.get(reverse("runs_export", args=[workspace.name, "csv"]), {"order": order})
        lines, first = 0, 0.0
        for part in response.streaming_content:
            first = first or time.perf_counter() - started
            lines += part.count(b"\n")
            if lines > rows:
                break
        rate, cpu = lines / (time.perf_counter() - started), time.process_time() - busy
        response.close()
        figures = f"first byte {first * 1000:.0f} ms, {rate:,.0f} rows a second, {cpu:.1f} s of processor time"
        print(f"export of {lines - 1:,} rows by {order}: {figures}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--user", default="admin")
    parser.add_argument("--workspace", default="default")
    parser.add_argument("--only", default="", help="those whose name has this word")
    parser.add_argument("--rows", type=int, default=100_000, help="how many rows of a file to read; 0 for none")
    options = parser.parse_args()

    call_command("collectstatic", interactive=False, verbosity=0)
    # As the web server does; else every fourth row or so has a full garbage collection among its requests.
    parts.load_pages()
    client = Client(SERVER_NAME="127.0.0.1")
    user = User.objects.get(username=options.user)
    client.force_login(user)
    print(f"{connection.vendor}, {Run.objects.count():,} runs, {options.times} times each, milliseconds")
    print(f"{'':42} {'queries':>7} {'first':>8} {'p50':>8} {'p95':>8} {'max':>8} {'cpu':>8}")
    workspace = Workspace.objects.get(name=options.workspace)
    for name, address in addresses(workspace).items():
        if options.only not in name:
            continue
        took, worked = [], []
        for _ in range(options.times + 1):
            started, busy = time.perf_counter(), time.process_time()
            response = client.get(address)
            body = response.getvalue()
            took.append((time.perf_counter() - started) * 1000)
            worked.append((time.process_time() - busy) * 1000)
        if response.status_code != 200 or not body:
            print(f"{name:42} answered {response.status_code}")
            continue
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        first, rest = took[0], sorted(took[1:])
        cpu = statistics.median(worked[1:])
        p95 = rest[min(len(rest) - 1, round(0.95 * len(rest)))]
        figures = (first, statistics.median(rest), p95, rest[-1], cpu)
        print(f"{name:42} {len(queries):7}" + "".join(f" {figure:8.1f}" for figure in figures))
    if options.rows:
        export(client, workspace, options.rows)


if __name__ == "__main__":
    main()
