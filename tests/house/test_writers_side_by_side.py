"""Web, worker and beat write to one SQLite file at the same time, each from a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROCESS_COUNT, ROUND_COUNT = 4, 60

# Reads before it writes: with a deferred transaction SQLite refuses this at once, whatever its timeout.
WRITER = f"""
import django
django.setup()
from django.db import transaction
from django.utils import timezone
from runs.models import Lease
for number in range({ROUND_COUNT}):
    with transaction.atomic():
        lease = Lease.objects.get(name="shared")
        lease.holder = str(int(lease.holder) + 1)
        lease.until = timezone.now()
        lease.save(update_fields=["holder", "until"])
"""
PREPARE = """
import django
django.setup()
from django.core.management import call_command
from django.utils import timezone
from runs.models import Lease
call_command("migrate", verbosity=0)
Lease.objects.create(name="shared", holder="0", until=timezone.now(), steady_since=timezone.now())
"""
COUNT = """
import django
django.setup()
from runs.models import Lease
print(Lease.objects.get(name="shared").holder)
"""


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.sqlite
def test_processes_that_write_side_by_side_lose_nothing_and_are_never_locked_out(tmp_path: Path) -> None:
    _wait(_python(PREPARE, tmp_path))

    writers = [_python(WRITER, tmp_path) for _ in range(PROCESS_COUNT)]
    faults = [_wait(writer) for writer in writers]

    assert faults == [""] * PROCESS_COUNT
    counted = _python(COUNT, tmp_path)
    assert counted.communicate(timeout=120)[0] == f"{PROCESS_COUNT * ROUND_COUNT}\n"


def _python(code: str, home: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "STUDIO_HOME": str(home), "DJANGO_SETTINGS_MODULE": "studio.settings", "DATABASE_URL": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait(process: "subprocess.Popen[str]") -> str:
    """Return what a process complained about."""
    return process.communicate(timeout=300)[1]
