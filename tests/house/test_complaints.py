"""The list of complaints names tests that are there, and shows something for each complaint."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECTIONS = re.split(r"^### ", (ROOT / "docs" / "complaints.md").read_text(), flags=re.MULTILINE)[1:]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_complaint_of_both_lists_is_there():
    assert len(SECTIONS) == 30


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.splitlines()[0])
def test_the_tests_that_show_it_are_there(section):
    named = NAMED.findall(section)
    missing = [f"{path}::{name}" for path, name in named if f"\ndef {name}(" not in source(path)]

    assert named
    assert missing == []


def source(path):
    file = ROOT / path
    return file.read_text() if file.is_file() else ""
