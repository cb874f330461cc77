"""`manage.py doctor`: what is well, what is not, and that it says what to do."""

import json
import shutil
from collections import namedtuple
from contextlib import suppress
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone

from runs.execution import host, process
from runs.management import doctor
from runs.status import RunStatus
from tests import factories

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def home(settings, tmp_path):
    settings.STUDIO_HOME = tmp_path
    tmp_path.chmod(0o700)


def found(check, capsys):
    """Return levels and lines of one check."""
    with suppress(SystemExit):
        call_command("doctor", "--json")
    findings = json.loads(capsys.readouterr().out)
    return [(item["level"], item["text"] + " " + item["advice"]) for item in findings if item["check"] == check]


def test_an_error_is_an_exit_code_and_every_complaint_says_what_to_do(local, capsys, monkeypatch):
    monkeypatch.setattr(doctor, "CHECKS", {"workers": doctor._workers})

    with pytest.raises(SystemExit) as end:
        call_command("doctor")

    assert end.value.code == 1
    assert capsys.readouterr().out == (
        "error    workers: No live worker serves the compute target local: its runs wait.\n"
        "         -> Run `manage.py up --only worker --targets local`, or disable it.\n"
    )


def test_nothing_wrong_is_no_error(local, capsys, monkeypatch):
    factories.worker(at=timezone.now(), targets=["local"], has_broker=True)
    checks = {name: doctor.CHECKS[name] for name in ("migrations", "workers", "attempts", "clock", "bytes", "disk")}
    monkeypatch.setattr(doctor, "CHECKS", checks)

    call_command("doctor")

    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["ok"] * 6


@pytest.mark.process
def test_every_check_makes_a_finding_and_none_breaks(db, capsys):
    with pytest.raises(SystemExit):
        call_command("doctor", "--json")

    findings = json.loads(capsys.readouterr().out)
    assert {item["check"] for item in findings} == set(doctor.CHECKS)
    assert not [item for item in findings if "itself broke" in item["text"]]
    assert all(item["advice"] for item in findings if item["level"] != "ok" and item["check"] != "settings")


@pytest.mark.parametrize(("free", "level"), [(2**20, "error"), (5 * 2**30, "warning"), (50 * 2**30, "ok")])
def test_a_disk_that_fills_up_is_told(db, capsys, monkeypatch, free, level):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100 * 2**30, 0, free))

    assert [item[0] for item in found("disk", capsys)] == [level]


def test_a_folder_that_others_may_enter_is_told(db, capsys, tmp_path):
    tmp_path.chmod(0o755)

    assert ("warning", f"Others may enter {tmp_path}. chmod 700 {tmp_path}") in found("disk", capsys)


def test_a_broker_that_is_away_is_told(db, capsys, settings):
    settings.REDIS_URL, settings.STUDIO_BROKER_IS_EMBEDDED = "redis://127.0.0.1:1/0", False

    [(level, text)] = found("broker", capsys)

    assert level == "error"
    assert "REDIS_URL" in text


def test_a_database_that_is_away_is_told(capsys, monkeypatch):
    def fail():
        raise OperationalError("connection refused\nIs the server running?")
        yield

    monkeypatch.setattr(doctor, "CHECKS", {"database": fail})

    assert found("database", capsys) == [
        ("error", "The database refuses: connection refused Look at `database` first.")
    ]


@pytest.mark.postgres
@pytest.mark.parametrize(("seconds", "level"), [(0, "ok"), (2, "warning"), (-60, "error")])
def test_a_clock_that_is_off_is_told(db, capsys, monkeypatch, seconds, level):
    monkeypatch.setattr(host, "now", lambda: timezone.now() + timedelta(seconds=seconds))

    assert [item[0] for item in found("clock", capsys)] == [level]


@pytest.mark.postgres
def test_an_answer_that_came_late_says_nothing_of_the_clock(db, capsys, monkeypatch):
    answers = iter([(4.0, 2.0), (0.01, 0.005), (0.02, 0.01)])
    monkeypatch.setattr(doctor, "_ask_the_time", lambda: next(answers))

    assert [item[0] for item in found("clock", capsys)] == ["ok"]


def test_silent_attempts_are_told(experiment, owner, local, capsys):
    run = factories.run(experiment, by=owner, compute_target=local, status=RunStatus.RUNNING)
    factories.attempt(run, at=timezone.now() - timedelta(hours=1))

    [(level, text)] = found("attempts", capsys)

    assert (level, text[:22]) == ("warning", "1 attempts are silent:")


def test_a_machine_without_namespaces_is_told(db, capsys, monkeypatch):
    monkeypatch.setattr(process, "strongest_tier", lambda: process.Tier.SUBREAPER)

    assert [item[0] for item in found("kill tier", capsys)] == ["warning"]


def test_a_web_server_that_does_not_answer_a_far_worker_is_told(db, capsys, settings):
    settings.STUDIO_STORAGE, settings.STUDIO_URL = "http", "http://127.0.0.1:1"

    [(level, text)] = found("bytes", capsys)

    assert (level, "STUDIO_URL" in text) == ("error", True)


@pytest.mark.slow
def test_a_web_server_that_answers_a_far_worker_is_fine(transactional_db, live_server, capsys, settings):
    settings.STUDIO_STORAGE, settings.STUDIO_URL = "http", live_server.url

    assert [item[0] for item in found("bytes", capsys)] == ["ok"]
