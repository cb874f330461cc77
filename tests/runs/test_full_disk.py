"""A disk that is full under the SQLite file: pages are read, what is written is refused, nothing is broken."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
# In a process of its own, as the database is another one.
PLAY = """
import json, pathlib, sys, django
django.setup()
from django.db import connection
from django.test import Client
from django.utils import timezone
from runs.actions import tokens
from tests import factories

owner, workspace = factories.user("olivia"), factories.workspace("default")
factories.member(workspace, owner, "owner")
experiment = factories.experiment(workspace, "explore-runs")
_, secret = tokens.create_token(user=owner, name="t", at=timezone.now())
browser = Client(raise_request_exception=False)
browser.force_login(owner)
program = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {secret}"})
path = "/api/v1/experiments/explore-runs"

def look():
    described = {"description": "d" * 40_000}
    return {
        "page": browser.get("/w/default/").status_code,
        "api": program.get(path).status_code,
        "write": program.patch(path, json.dumps(described), "application/json").status_code,
    }

filler = pathlib.Path(sys.argv[1], "filler").open("wb", buffering=0)
try:
    while filler.write(b"x" * 4096) == 4096: pass
except OSError:
    pass
full = look()
filler.truncate(0)
again = look()
with connection.cursor() as cursor:
    cursor.execute("PRAGMA integrity_check")
    print(json.dumps({"full": full, "again": again, "check": cursor.fetchone()[0]}))
"""


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.root
@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_a_full_disk_refuses_what_is_written_and_breaks_nothing(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(tmp_path)], check=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"VACUUM INTO '{tmp_path}/studio.sqlite3'")  # all tables, without migrating again
        environment = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path}/studio.sqlite3"}
        environment |= {"DJANGO_SETTINGS_MODULE": "tests.settings"}
        played = subprocess.run(
            [sys.executable, "-c", PLAY, str(tmp_path)],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)

    assert played.returncode == 0, played.stderr
    assert json.loads(played.stdout) == {
        "full": {"page": 200, "api": 200, "write": 503},
        "again": {"page": 200, "api": 200, "write": 200},
        "check": "ok",
    }
