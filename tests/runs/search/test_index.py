"""The index behind bare words follows every change, and disappears with its run."""

import pytest
from django.db import connection

from runs import search
from runs.models import Run, SearchText, Tag
from runs.search import index
from tests import factories


def found(text, user):
    return [run.display_name for run in search.apply(Run.objects.all(), text, user=user, at=factories.NOON)]


@pytest.fixture
def run(experiment, owner):
    run = factories.run(experiment, by=owner, display_name="first", description="Straße in FORLÌ")
    index.refresh(run_ids=[run.pk])
    return run


def test_a_changed_text_is_found_and_the_old_one_is_not(run, owner):
    Run.objects.filter(pk=run.pk).update(description="second thoughts")
    Tag.objects.create(run=run, key="quality", value="great")
    index.refresh(run_ids=[run.pk])

    assert found("thoughts great", owner) == ["first"]
    assert found("forl", owner) == []


@pytest.mark.parametrize("text", ["forlì", "FORLÌ", "strasse", "STRASSE", "stra", '"e in f"'])
def test_case_does_not_matter_beyond_ascii_either(text, run, owner):
    assert found(text, owner) == ["first"]


def test_refreshing_twice_changes_nothing(run, owner):
    index.refresh(run_ids=[run.pk, run.pk])

    assert SearchText.objects.count() == 1
    assert found("forlì", owner) == ["first"]


def test_a_run_that_is_gone_is_no_longer_found(run, owner):
    run.delete()

    assert SearchText.objects.count() == 0
    assert found("forlì", owner) == []


def test_an_experiment_that_is_gone_takes_the_texts_with_it(run, experiment):
    experiment.delete()

    assert SearchText.objects.count() == 0


@pytest.mark.sqlite
def test_the_trigrams_agree_with_the_texts_after_changes_and_deletions(run, experiment, owner):
    other = factories.run(experiment, by=owner, display_name="other")
    index.refresh(run_ids=[other.pk])
    SearchText.objects.filter(pk=run.pk).update(text="nothing of the kind")
    other.delete()

    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO runs_searchtext_fts (runs_searchtext_fts) VALUES ('integrity-check')")
        cursor.execute("SELECT rowid FROM runs_searchtext_fts WHERE runs_searchtext_fts MATCH '\"kin\"'")
        rows = cursor.fetchall()

    assert rows == [(run.pk,)]


def test_a_rebuild_finds_runs_that_were_never_stored(experiment, owner):
    factories.run(experiment, by=owner, display_name="forgotten")

    assert found("forgotten", owner) == []
    assert index.rebuild() == 1
    assert found("forgotten", owner) == ["forgotten"]


@pytest.mark.parametrize("word", ['a"b', "a'b", "100%", "_x_", "a\\b", "*", "AND", "x" * 300, "\u202e训练", "a\tb"])
def test_no_sign_means_anything_to_the_databases(word, experiment, owner):
    run = factories.run(experiment, by=owner, display_name=f"<{word}>"[:256])
    index.refresh(run_ids=[run.pk])
    quoted = '"' + word[:200].replace("\\", "\\\\").replace('"', '\\"') + '"'

    assert found(quoted, owner) == [run.display_name]
    assert found('"<' + quoted[1:], owner) == [run.display_name]
