"""Completion: fields, keys and values for what is typed last, of one's own workspace only, and kept searches."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs.actions import recording, tagging
from runs.models import SavedSearch, SearchKey
from runs.search import completion, grammar, keys
from tests import factories


@pytest.fixture
def run(experiment, owner, noon):
    run = factories.run(experiment, by=owner)
    tagging.set_tags(run=run, tags={"quality": "great run", "my key": "x", "mlflow.user": "ann"})
    other = factories.run(experiment, by=owner)
    tagging.set_tags(run=other, tags={"quality": "Good"})
    tagging.add_properties(run=run, properties={"author": "me"})
    recording.log_params(run=run, params={"lr": 0.1})
    recording.log_metrics(run=run, points=[recording.Point("loss", value=1.0)], at=noon)
    return run


@pytest.mark.parametrize(
    ("typed", "texts"),
    [
        ("st", ["status:", "started:"]),
        ("loss (status:fa", ["status:Failed"]),
        ("-is:arch", ["is:archived"]),
        ("tags.q", ["tags.quality:"]),
        ("tags.", ["tags.mlflow.user:", 'tags."my key":', "tags.quality:"]),
        ("properties.a", ["properties.author:"]),
        ("params.l", ["params.lr"]),
        ("a OR metrics.lo", ["metrics.loss"]),
        ("has:tags.qu", ["has:tags.quality"]),
        ("tags.quality:g", ["tags.quality:Good", 'tags.quality:"great run"']),
        ('tags.quality:"great r', ['tags.quality:"great run"']),
        ("submitter:ol", ["submitter:olivia"]),
        ("experiment:explore", ["experiment:explore-runs"]),
        ("nothing:", []),
        ("word ", []),
    ],
)
def test_the_last_word_is_completed(run, workspace, owner, typed, texts):
    found = completion.complete(typed, workspace=workspace, user=owner)

    assert [suggestion.text for suggestion in found] == texts


def test_what_is_completed_is_a_query(run, workspace, owner):
    found = completion.complete("good tags.quality:g", workspace=workspace, user=owner)

    assert grammar.parse("good tags.quality:g"[: found[1].start] + found[1].text)


def test_other_workspaces_are_not_told(run, stranger):
    elsewhere = stranger.workspaces.get()

    assert completion.complete("tags.", workspace=elsewhere, user=stranger) == []
    assert completion.complete("tags.quality:", workspace=elsewhere, user=stranger) == []


def test_many_values_are_read_by_a_fixed_number_of_looks(run, experiment, workspace, owner):
    for number in range(30):
        tagging.set_tags(run=factories.run(experiment, by=owner), tags={"quality": f"v{number:02}"})

    with CaptureQueriesContext(connection) as queries:
        found = completion.complete("tags.quality:v", workspace=workspace, user=owner)

    assert len(found) == len(queries) == 12


def test_keys_that_nobody_has_any_more_are_forgotten_by_a_rebuild(run, workspace):
    tagging.remove_tags(run=run, keys=["my key"])
    before = SearchKey.objects.count()

    keys.rebuild()

    assert SearchKey.objects.count() == before - 1


def test_a_kept_search_is_offered_by_the_empty_bar(client_for, reader, workspace, run):
    client = client_for(reader)
    save = reverse("search_save", args=[workspace.name])
    offered = reverse("search_completion", args=[workspace.name])

    client.post(save, {"name": "bad ones", "query": "status:failed"})
    client.post(save, {"name": "broken", "query": "status:"})

    assert "bad ones" in client.get(offered, {"q": ""}).content.decode()
    assert SavedSearch.objects.get().query == "status:failed"
    client.post(save, {"forget": "bad ones"})
    assert not SavedSearch.objects.exists()


def test_a_stranger_is_offered_nothing(client_for, stranger, workspace):
    assert client_for(stranger).get(reverse("search_completion", args=[workspace.name])).status_code == 404
    assert client_for(stranger).post(reverse("search_save", args=[workspace.name])).status_code == 404
