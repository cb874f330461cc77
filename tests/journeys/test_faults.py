"""One minute of `bench/faults.py` on each database."""

import subprocess
import sys

import pytest
from django.db import connection

from tests.journeys.product import ROOT

pytestmark = [pytest.mark.journey, pytest.mark.process, pytest.mark.redis, pytest.mark.slow]


@pytest.mark.sqlite
def test_a_minute_of_faults_violates_nothing_on_sqlite() -> None:
    _break("--db", "sqlite")


@pytest.mark.postgres
def test_a_minute_of_faults_violates_nothing_on_postgresql() -> None:
    database = connection.settings_dict
    # Not the tests' own database: another one beside it, whose connections may be cut.
    address = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/postgres".format(**database)

    _break("--db", "postgres", "--database-url", address)


def _break(*options: str) -> None:
    command = [sys.executable, "bench/faults.py", "--minutes", "1", "--seed", "20261123", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
