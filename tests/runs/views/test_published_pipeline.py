"""A published pipeline's page and the tab that lists them: run, clone, enable, disable, schedules."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs.models import Experiment, PipelineDraft, PipelineRun, PublishedPipeline, Run, RunType
from tests import factories

DEFINITION = {
    "name": "nightly",
    "parameters": {"seed": {"type": "integer", "default": 7}, "fast": {"type": "boolean", "default": False}},
    "steps": {"hello": {"command": ["echo", "${{ parameters.seed }}"]}},
}


@pytest.fixture
def published(workspace, team_mate, local):
    return factories.published_pipeline(workspace, by=team_mate, definition=DEFINITION)


def filled(client, published, **changes):
    """What a browser would send of the page's form."""
    form = client.get(published.get_absolute_url()).context["form"]
    fields = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in (fields | changes).items() if value not in (None, False)}


def test_a_version_is_run_from_its_page_once_however_often_one_clicks(client_for, team_mate, published):
    client = client_for(team_mate)
    fields = filled(client, published, new_name="reports", **{"parameter-seed": "9", "parameter-fast": "true"})

    answers = [client.post(published.get_absolute_url(), fields)["Location"] for _ in range(2)]

    run = Run.objects.get(run_type=RunType.PIPELINE)
    assert answers == [reverse("run_graph", args=[run.run_id])] * 2
    assert run.experiment.name == "reports"
    assert PipelineRun.objects.get().parameters == {"seed": 9, "fast": True}


def test_what_is_wrong_is_said_beside_its_field_and_nothing_runs(client_for, team_mate, published):
    client = client_for(team_mate)

    answer = client.post(published.get_absolute_url(), filled(client, published, **{"parameter-seed": "x"}))

    assert answer.status_code == 422
    assert sorted(answer.context["form"].errors) == ["existing", "parameter-seed"]
    assert not Run.objects.exists()
    assert not Experiment.objects.exists()


def test_a_version_is_cloned_to_a_draft(client_for, team_mate, workspace, published):
    where = reverse("published_pipeline_clone", args=[workspace.name, published.pipeline_id])

    answer = client_for(team_mate).post(where)

    assert answer["Location"] == PipelineDraft.objects.get().get_absolute_url()
    assert PipelineDraft.objects.get().document["steps"] == DEFINITION["steps"]


def test_versions_are_disabled_and_enabled_and_a_disabled_one_is_not_run(client_for, team_mate, workspace, published):
    client, where = client_for(team_mate), reverse("published_pipelines_enable", args=[workspace.name])
    fields = filled(client, published, new_name="reports")

    client.post(where, {"pipeline": published.pipeline_id, "verb": "disable"})
    refused = client.post(published.get_absolute_url(), fields)
    is_enabled = PublishedPipeline.objects.get().is_enabled
    client.post(where, {"pipeline": published.pipeline_id, "verb": "enable"})

    assert (refused.status_code, is_enabled) == (422, False)
    assert not Run.objects.exists()
    assert PublishedPipeline.objects.get().is_enabled


@pytest.mark.parametrize("fields", [{"verb": "enable"}, {"pipeline": "x", "verb": "explode"}])
def test_who_ticks_nothing_or_asks_for_something_else_is_told(client_for, team_mate, workspace, published, fields):
    where = reverse("published_pipelines_enable", args=[workspace.name])

    assert client_for(team_mate).post(where, fields).status_code == 400


def test_a_reader_looks_and_changes_nothing(client_for, reader, workspace, published):
    client = client_for(reader)

    assert client.get(published.get_absolute_url()).status_code == 200
    assert client.post(published.get_absolute_url(), {"new_name": "x"}).status_code == 403
    where = reverse("published_pipelines_enable", args=[workspace.name])
    assert client.post(where, {"pipeline": published.pipeline_id, "verb": "disable"}).status_code == 403


def test_a_stranger_finds_nothing(client_for, stranger, workspace, published):
    client = client_for(stranger)

    assert client.get(published.get_absolute_url()).status_code == 404
    assert client.get(reverse("published_pipeline_list", args=[workspace.name])).status_code == 404


def test_whoever_is_not_signed_in_is_sent_to_the_sign_in(client, published):
    assert client.get(published.get_absolute_url()).status_code == 302


@pytest.mark.parametrize("is_list", [True, False])
def test_the_number_of_queries_does_not_grow(client_for, team_mate, workspace, published, is_list):
    client, counts, number = client_for(team_mate), [], 1
    where = reverse("published_pipeline_list", args=[workspace.name]) if is_list else published.get_absolute_url()

    for rows in (3, 27):
        for _ in range(rows):
            number += 1
            version = factories.published_pipeline(workspace, by=team_mate, version=number)
            factories.published_pipeline(workspace, by=team_mate, name=f"p{number}")
            factories.schedule(version, by=team_mate)
        with CaptureQueriesContext(connection) as queries:
            client.get(where)
        counts.append(len(queries))

    assert counts[0] == counts[1]
