"""docs/run-status.md is what the transition table says."""

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from runs.management.commands import status_diagram
from runs.status import TRANSITIONS


def test_the_page_is_up_to_date() -> None:
    call_command("status_diagram", "--check")


def test_the_page_shows_every_move() -> None:
    moves = {f"{origin} --> {to}" for origin, targets in TRANSITIONS.items() for to in targets}

    drawn = {line.strip() for line in status_diagram.page().splitlines() if " --> " in line and "[*]" not in line}

    assert drawn == moves


def test_check_refuses_a_page_that_is_not_there(settings: LazySettings, tmp_path) -> None:
    settings.BASE_DIR = tmp_path

    with pytest.raises(CommandError, match=r"run `manage.py status_diagram`"):
        call_command("status_diagram", "--check")
