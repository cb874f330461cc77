"""Every page in Italian: no sentence of the catalog is left in English, and numbers of drawings stay numbers."""

import re
from html import unescape
from pathlib import Path

import polib
import pytest
from django.conf import settings as project
from django.test import Client

from runs.actions import tokens
from tests import pages

CATALOG = polib.pofile(str(Path(project.LOCALE_PATHS[0]) / "it/LC_MESSAGES/django.po"))
TAGS = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL)
WORDS_IN_ATTRIBUTES = re.compile(r'\s(?:title|aria-label|placeholder|data-label|data-confirm|alt)="([^"]*)"')
COORDINATES = re.compile(
    r'\s(?:d|x|y|x1|x2|y1|y2|cx|cy|r|width|height|viewBox|points|min|max|step|hx-trigger)="([^"]*)"'
)


def sentences():
    """Return what has three words and no placeholder: it is found in a page or it is not."""
    for entry in CATALOG:
        if len(entry.msgid.split()) > 2 and not re.search(r"[%{<]", entry.msgid) and entry.msgid != entry.msgstr:
            yield entry.msgid


@pytest.fixture
def italian(client_for, team_mate):
    client = client_for(team_mate)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "it-IT,it;q=0.9,en;q=0.8"
    return client


@pytest.fixture
def shown(italian, workspace, team_mate, local, settings, tmp_path):
    settings.STUDIO_HOME = tmp_path
    stranger = Client(HTTP_ACCEPT_LANGUAGE="it")
    return {
        name: (stranger if name in pages.FOR_STRANGERS else italian).get(address).content.decode()
        for name, address in pages.fill(workspace, team_mate, local).items()
    }


def test_no_page_has_an_english_sentence(shown):
    known = list(sentences())
    texts = {
        name: unescape(" ".join([TAGS.sub("\n", html), *WORDS_IN_ATTRIBUTES.findall(html)]))
        for name, html in shown.items()
    }

    left = {name: [each for each in known if each in text] for name, text in texts.items()}

    assert len(known) > 300
    assert {name: english for name, english in left.items() if english} == {}
    assert all('<html lang="it"' in html for html in shown.values())


def test_drawings_and_fields_have_points_for_programs(shown):
    commas = {
        name: [value for value in COORDINATES.findall(html) if re.search(r"\d,\d+(?:[^\d ,]|\Z)", value)]
        for name, html in shown.items()
    }

    assert {name: found for name, found in commas.items() if found} == {}


def test_statuses_are_in_italian_with_their_published_name_on_hover(shown):
    page = shown["experiment_detail"]

    assert re.search(r'<span class="pill tone-good" title="Completed">.*?Completata</span>', page)
    assert "Non riuscite" in page  # the tile counts several


def test_a_refusal_is_in_italian_on_a_page_and_in_english_for_programs(italian, workspace, team_mate, noon):
    _token, secret = tokens.create_token(user=team_mate, name="laptop", at=noon)

    page = italian.get("/runs/none_1/")
    program = italian.get("/api/v1/runs/none_1", headers={"Authorization": f"Bearer {secret}"})
    typed = italian.get("/w/default/experiments/?q=stauts:failed")

    assert "Non c’è nessuna esecuzione".replace("’", "&#x27;") in page.content.decode()
    assert program.status_code == 404
    assert "There is no run 'none_1'" in program.json()["error"]["message"]
    assert "Campo sconosciuto" in typed.content.decode()
    assert "intendevi" in typed.content.decode()


def test_counts_are_parted_and_dates_named_as_italians_do(italian, workspace, experiment, team_mate):
    page = italian.get(experiment.get_absolute_url()).content.decode()

    assert "23 Nov 2026 13:00" not in page
    assert "esecuzioni mostrate" in page
