"""Time how a series of a million points is logged, opened and zoomed into, and a tree of 10,000 files.

    python bench/long_series.py [--points 1000000] [--files 10000]

Makes a database of its own in a temporary folder and leaves nothing behind. Prints
milliseconds to the whole answer, in one process and without a network: p50 and the greatest.
"""

import argparse
import math
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {
            "STUDIO_HOME": home,
            "DJANGO_SETTINGS_MODULE": "studio.settings",
            "STUDIO_LOG_LEVEL": "ERROR",
            "DATABASE_URL": f"sqlite:///{home}/bench.sqlite3",
        }
        import django

        django.setup()
        measure(options)


def measure(options: argparse.Namespace) -> None:
    """Fill the database and ask for the pages."""
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client
    from django.urls import reverse
    from django.utils import timezone

    from runs import storage
    from runs.actions import recording
    from runs.models import Artifact, MetricBucket, MetricPoint
    from runs.status import RunStatus
    from tests import factories

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    workspace = factories.workspace("default")
    user = User.objects.create_superuser("ada", password="secret")
    run = factories.run(factories.experiment(workspace, "long"), by=user, status=RunStatus.COMPLETED)
    now = timezone.now()
    began = time.perf_counter()
    for start in range(0, options.points, 10_000):
        count = min(10_000, options.points - start)
        points = [
            recording.Point("loss", value=math.sin(step / 9_999) + (99.0 if step == options.points // 3 else 0.0))
            for step in range(start, start + count)
        ]
        recording.log_metrics(run=run, points=points, at=now)
    took = time.perf_counter() - began
    buckets = MetricBucket.objects.count()
    print(f"{connection.vendor}: {MetricPoint.objects.count():,} points logged in {took:.0f} s, {buckets:,} buckets")
    Artifact.objects.bulk_create(
        Artifact(
            run=run,
            path=f"outputs/part{number % 10}/file-{number:05}.bin",
            size_bytes=number,
            digest="0" * 64,
            created_at=now,
        )
        for number in range(options.files)
    )
    storage.append_log(run.pk, "user_logs/std_log.txt", b"done\n", offset=0)
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(user)
    middle = options.points // 3
    metrics, curves = (reverse(name, args=[run.run_id]) for name in ("run_metrics", "run_curves"))
    outputs = reverse("run_outputs", args=[run.run_id])
    for name, address in {
        "metrics tab": metrics,
        "the curve, whole": f"{curves}?name=loss",
        "the curve, a tenth": f"{curves}?name=loss&from={middle}&to={middle + options.points // 10}",
        "the curve, 1,000 steps": f"{curves}?name=loss&from={middle - 500}&to={middle + 500}",
        "outputs tab": outputs,
        "outputs, a folder of 1,000": f"{outputs}?open=outputs&open=outputs/part3",
    }.items():
        times, size = [], 0
        for _ in range(options.times):
            began = time.perf_counter()
            answer = client.get(address)
            times.append(1_000 * (time.perf_counter() - began))
            size = len(answer.content)
            if answer.status_code != 200:
                raise SystemExit(f"{address} answered {answer.status_code}")
        print(f"{name:24} p50 {statistics.median(times):7.0f} ms  max {max(times):7.0f} ms  {size / 1024:7.0f} KiB")


if __name__ == "__main__":
    main()
