"""Drafts of pipelines and published pipelines: who may do what, and that no save is lost."""

import json

import pytest
from django.urls import reverse

from runs.models import PipelineDraft
from tests import factories


@pytest.fixture
def draft(workspace, team_mate, local):
    return factories.pipeline_draft(workspace, by=team_mate)


def address(name, draft):
    return reverse(name, args=[draft.workspace.name, draft.draft_id])


def send(client, name, draft, **body):
    return client.post(address(name, draft), json.dumps(body), content_type="application/json")


def test_a_save_with_an_old_revision_is_refused(client_for, team_mate, draft):
    client = client_for(team_mate)

    first = send(client, "pipeline_draft_save", draft, revision=1, document=draft.document, positions={})
    late = send(client, "pipeline_draft_save", draft, revision=1, document={"name": "other"}, positions={})

    assert (first.status_code, first.json()["revision"]) == (200, 2)
    assert late.status_code == 409
    assert PipelineDraft.objects.get().name == "penguins"


def test_a_draft_may_be_wrong_and_says_what_is(client_for, team_mate, draft):
    wrong = {"name": "x", "steps": {"a": {"command": ["true"], "depends_on": ["b"]}}}

    answer = send(client_for(team_mate), "pipeline_draft_save", draft, revision=1, document=wrong, positions={})

    assert [problem["step"] for problem in answer.json()["problems"]] == ["a"]


@pytest.mark.parametrize("document", [[], "x", {"steps": "x"}, {"steps": {"a": 1}}])
def test_what_no_canvas_could_show_is_refused(client_for, team_mate, draft, document):
    answer = send(client_for(team_mate), "pipeline_draft_save", draft, revision=1, document=document, positions={})

    assert answer.status_code == 422


def test_a_reader_looks_and_may_not_change(client_for, reader, draft):
    client = client_for(reader)

    assert client.get(draft.get_absolute_url()).status_code == 200
    assert send(client, "pipeline_draft_save", draft, revision=1, document={}, positions={}).status_code == 403


def test_a_stranger_finds_no_draft(client_for, stranger, draft):
    assert client_for(stranger).get(draft.get_absolute_url()).status_code == 404


def test_the_tab_of_published_pipelines_hides_the_disabled(client_for, team_mate, workspace):
    factories.published_pipeline(workspace, by=team_mate, is_enabled=False)
    client, where = client_for(team_mate), reverse("published_pipeline_list", args=[workspace.name])

    assert client.get(where).context["rows"] == []
    assert len(client.get(where, {"disabled": 1}).context["rows"]) == 1


def test_a_draft_begins_empty_or_as_an_example(client_for, team_mate, workspace, local, tmp_path, settings):
    settings.STUDIO_HOME = tmp_path
    client, new = client_for(team_mate), reverse("pipeline_draft_new", args=[workspace.name])

    client.post(new)
    client.post(new, {"example": "wine_pipeline"})
    missing = client.post(new, {"example": "no_such"})

    empty, example = PipelineDraft.objects.order_by("pk")
    assert empty.document["steps"] == {}
    assert list(example.document["steps"]) == ["prepare", "train", "compare", "report"]
    assert missing.status_code == 404
