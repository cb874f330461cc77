"""Each worker's machine keeps house by itself."""

import os

import pytest
from django.db import connection

from runs.execution import agent, housekeeping
from tests import factories


@pytest.mark.django_db(transaction=True)
def test_a_machine_forgets_environments_that_were_not_used_for_long(settings, tmp_path):
    settings.STUDIO_HOME = tmp_path
    old, used = (tmp_path / "environments" / name / "ready" for name in ("old", "used"))
    for ready in (old, used):
        ready.parent.mkdir(parents=True)
        ready.touch()
    os.utime(old, (0, 0))

    housekeeping.begin().join(60)

    assert (old.exists(), used.exists()) == (False, True)


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_the_statistics_of_a_database_that_has_grown_are_kept_fresh(settings, tmp_path):
    settings.STUDIO_HOME = tmp_path
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE runs_experiment")
        cursor.execute("DELETE FROM sqlite_stat1")
    workspace = factories.workspace("default")
    for number in range(3):
        factories.experiment(workspace, f"experiment-{number}")

    housekeeping.begin().join(60)

    with connection.cursor() as cursor:
        cursor.execute("SELECT stat FROM sqlite_stat1 WHERE tbl = 'runs_experiment'")
        assert {row[0].split()[0] for row in cursor.fetchall()} == {"3"}


def test_every_worker_has_this_duty():
    duties = agent.Agent(consumers=None)._duties

    assert housekeeping.begin in [duty._do for duty in duties]
