"""What a script is busy with is seen, bounded however long it runs, and apart from its own metrics."""

import os
import sys

import pytest

from runs.execution import captured, columns, environment, monitor
from runs.execution.columns import Columns
from runs.models import Attempt, Metric, SystemMetrics
from runs.status import RunStatus
from tests import factories
from tests.runs.execution.conftest import wait_for


def test_a_week_fits_into_its_slots_and_keeps_its_peak():
    watched = Columns(interval=2, began=0)

    for at in range(0, 7 * 86_400, 10):
        watched.add({"cpu": 250.0 if at == 300_000 else 10.0}, at=at)
    document = watched.document()

    slots = document["columns"]["cpu"]
    assert len(slots) <= columns.SLOTS
    assert document["interval"] * len(slots) >= 7 * 86_400 - document["interval"]
    assert max(peak for _, peak in slots) == 250.0
    assert slots[0] == [10.0, 10.0]
    place = next(place for place, slot in enumerate(slots) if slot[1] == 250.0)
    assert place * document["interval"] <= 300_000 < (place + 1) * document["interval"]


def test_a_name_that_comes_late_or_goes_leaves_holes():
    watched = Columns(interval=1, began=0)

    for at, sample in [(0, {"a": 1.0}), (1, {"b": 2.0}), (3, {"a": 3.0, "b": 4.0})]:
        watched.add(sample, at=at)

    found = watched.document()["columns"]
    assert found == {"a": [[1, 1], None, None, [3, 3]], "b": [None, [2, 2], None, [4, 4]]}


def test_the_packages_of_our_own_interpreter_are_known_without_running_it():
    version, packages = captured.packages_of(environment.own_interpreter())

    assert version == ".".join(map(str, sys.version_info[:3]))
    assert "django" in dict(packages)


def test_the_packages_of_another_environment_are_read_from_its_folders(tmp_path):
    site = tmp_path / "lib" / "python3.12" / "site-packages"
    (site / "Some_Package-1.2.dist-info").mkdir(parents=True)
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\nversion_info = 3.12.4\n")

    assert captured.packages_of(tmp_path / "bin" / "python") == ("3.12.4", [["some-package", "1.2"]])
    assert captured.packages_of(tmp_path / "nowhere" / "bin" / "python") == ("", [])


@pytest.mark.process
@pytest.mark.django_db(transaction=True)
def test_an_attempt_gets_one_row_and_no_metric_of_its_own(experiment, team_mate, local, settings):
    settings.STUDIO_MONITOR_SECONDS = 0.05
    run = factories.run(experiment, by=team_mate, compute_target=local, status=RunStatus.RUNNING)
    attempt = factories.attempt(run)
    watch = monitor.Monitor(attempt, environment.own_interpreter())

    watch.start()
    wait_for(lambda: watch._columns is not None and (watch._columns.columns or watch._columns._pending))
    watch.stop(timeout_seconds=30)

    found = SystemMetrics.objects.get(attempt=attempt).data
    assert {"cpu", "memory", "disk_read", "received", "machine_cpu"} <= set(found["columns"])
    assert found["machine"]["cores"] == os.cpu_count()
    assert Attempt.objects.get().python_environment.packages
    assert not Metric.objects.exists()
