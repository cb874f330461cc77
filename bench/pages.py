"""Time the pages and lists on a seeded database, inside one process and without a network.

    STUDIO_HOME=/some/home python manage.py seed_demo --runs 1000000
    STUDIO_HOME=/some/home python bench/pages.py [--times 20] [--user admin]

Prints for each address the number of queries, and the time to the whole answer in
milliseconds: p50, p95 and the greatest. The first call of each, which fills caches, is
shown apart. A figure holds for the machine it was taken on; compare runs on one machine.
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

from runs.models import Experiment, Run, Workspace  # noqa: E402


def addresses(workspace: Workspace) -> dict[str, str]:
    """Return what to ask for: the largest experiment, its pages, searches dense and sparse, the admin."""
    largest = Experiment.objects.filter(workspace=workspace).order_by("-latest_run_number").first()
    latest = Run.objects.filter(experiment=largest).order_by("-id").first()
    if largest is None or latest is None:
        raise SystemExit("There is nothing to measure: run manage.py seed_demo first.")
    experiment = reverse("experiment_detail", args=[workspace.name, largest.name])
    everything = reverse("pipeline_list", args=[workspace.name])
    return {
        "home": reverse("workspace_home", args=[workspace.name]),
        "experiments": reverse("experiment_list", args=[workspace.name]),
        "experiment": experiment,
        "experiment, with children": f"{experiment}?children=1",
        "experiment, failed": f"{experiment}?q=status:failed",
        "experiment, tag": f"{experiment}?q=tags.quality:%22fantastic+run%22",
        "all runs": everything,
        "all runs, tag": f"{everything}?q=tags.quality:%22fantastic+run%22",
        "all runs, word": f"{everything}?q=fantastic",
        "all runs, two words": f"{everything}?q=fantastic+baseline",
        "all runs, no such word": f"{everything}?q=xyzzyplugh",
        "all runs, mine": f"{everything}?q=submitter:me",
        "run": reverse("run_detail", args=[latest.run_id]),
        "compute": reverse("compute_list"),
        "admin, runs": reverse("admin:runs_run_changelist"),
        "admin, search": reverse("admin:runs_run_changelist") + f"?q={latest.run_id}",
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--user", default="admin")
    parser.add_argument("--workspace", default="default")
    options = parser.parse_args()

    call_command("collectstatic", interactive=False, verbosity=0)
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(User.objects.get(username=options.user))
    print(f"{connection.vendor}, {Run.objects.count():,} runs, {options.times} times each, milliseconds")
    print(f"{'':28} {'queries':>7} {'first':>8} {'p50':>8} {'p95':>8} {'max':>8}")
    for name, address in addresses(Workspace.objects.get(name=options.workspace)).items():
        took = []
        for _ in range(options.times + 1):
            started = time.perf_counter()
            response = client.get(address)
            body = response.getvalue()
            took.append((time.perf_counter() - started) * 1000)
        if response.status_code != 200 or not body:
            print(f"{name:28} answered {response.status_code}")
            continue
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        first, rest = took[0], sorted(took[1:])
        p95 = rest[min(len(rest) - 1, round(0.95 * len(rest)))]
        print(f"{name:28} {len(queries):7} {first:8.1f} {statistics.median(rest):8.1f} {p95:8.1f} {rest[-1]:8.1f}")


if __name__ == "__main__":
    main()
