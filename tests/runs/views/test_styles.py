"""The pattern page: for staff, and complete: a component, a status, a tone or an icon that it lacks fails here."""

import re
from pathlib import Path

import pytest
from django.urls import reverse

from runs.status import RunStatus, Tile
from runs.templatetags.studio import look_of, tile_word

CSS = Path(__file__).resolve().parents[3] / "static" / "css"


@pytest.fixture
def page(client_for, admin, workspace):
    return client_for(admin).get(reverse("styles")).content.decode()


def test_staff_only(client_for, owner):
    assert client_for(owner).get(reverse("styles")).status_code == 404


@pytest.mark.parametrize("sheet", ["base", "controls", "components"])
def test_every_class_of_a_component_is_shown(page, sheet):
    rules = re.sub(r"/\*.*?\*/|\{[^{}]*\}", " ", (CSS / f"{sheet}.css").read_text(), flags=re.DOTALL)
    classes = set(re.findall(r"\.([a-z][\w-]*)", rules))
    shown = {name for names in re.findall(r'class="([^"]*)"', page) for name in names.split()}

    assert sorted(classes - shown) == []


def test_every_status_tile_and_tone_is_shown(page):
    assert [status for status in RunStatus if page.count(f"</svg>{look_of(status)[0]}</span>") < 2] == []
    assert [tile for tile in Tile if f"</svg>{tile_word(tile)}</span>" not in page] == []


def test_every_color_is_shown(page):
    tokens = set(re.findall(r"--([\w-]+): light-dark", (CSS / "tokens.css").read_text()))
    sheet = (CSS / "styles.css").read_text()
    shown = {name for name in re.findall(r"var\(--([\w-]+)\)", sheet) if re.search(rf'class="(on|in)-{name}"', page)}

    assert sorted(tokens - shown) == []
