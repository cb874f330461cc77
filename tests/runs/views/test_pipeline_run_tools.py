"""What the toolbar of a pipeline's run does: clone to draft, resume, publish, cancel and resubmit."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs.actions import cancellation
from runs.models import PipelineDraft, PipelineRun, PublishedPipeline, Run, RunType
from runs.status import RunStatus
from tests import factories
from tests.runs.pipelines.driving import end, statuses, step, submit

VERBS = ["pipeline_run_clone", "pipeline_run_resume", "pipeline_run_publish"]


@pytest.fixture
def run(experiment, team_mate, local):
    return submit(experiment, team_mate, {"a": [], "b": ["a"]})


def address(name, run):
    return reverse(name, args=[run.run_id])


def test_the_page_of_a_pipeline_run_opens_with_its_graph_and_has_its_tools(client_for, team_mate, run):
    text = client_for(team_mate).get(run.get_absolute_url()).content.decode()

    assert run.get_absolute_url() == address("run_graph", run)
    assert all(address(name, run) in text for name in ("pipeline_run_clone", "pipeline_run_publish", "run_cancel"))
    assert address("pipeline_run_resume", run) not in text


def test_cancel_and_resubmit_lead_to_a_graph(client_for, team_mate, run):
    client = client_for(team_mate)

    canceled = client.post(address("run_cancel", run))
    again = client.post(address("run_resubmit", run), {"idempotency_key": "k"})

    new = Run.objects.filter(run_type=RunType.PIPELINE).latest("pk")
    assert canceled["Location"] == address("run_graph", run)
    assert again["Location"] == address("run_graph", new)
    assert new.pk != run.pk


def test_a_run_is_cloned_to_a_draft_of_the_same_steps(client_for, team_mate, run):
    answer = client_for(team_mate).post(address("pipeline_run_clone", run))

    draft = PipelineDraft.objects.get()
    assert answer["Location"] == draft.get_absolute_url()
    assert draft.document == PipelineRun.objects.get(run=run).definition


def test_a_canceled_run_is_resumed_once_however_often_one_clicks(client_for, team_mate, run, noon):
    end(step(run, "a"))
    cancellation.request_cancel(run=Run.objects.get(pk=run.pk), by=team_mate, at=noon)
    client = client_for(team_mate)

    answers = [client.post(address("pipeline_run_resume", run), {"idempotency_key": "k"}) for _ in range(2)]

    new = Run.objects.filter(run_type=RunType.PIPELINE).latest("pk")
    assert [answer["Location"] for answer in answers] == [address("run_graph", new)] * 2
    assert statuses(new) == {"a": "Completed", "b": "Queued"}


def test_what_goes_on_is_not_resumed_and_it_says_why(client_for, team_mate, run):
    answer = client_for(team_mate).post(address("pipeline_run_resume", run), follow=True)

    assert b'class="message tone-error"' in answer.content
    assert Run.objects.filter(run_type=RunType.PIPELINE).count() == 1


def test_a_run_is_published_under_a_name(client_for, team_mate, run):
    client = client_for(team_mate)

    form = client.get(address("pipeline_run_publish", run))
    refused = client.post(address("pipeline_run_publish", run), {"name": "  "})
    answer = client.post(address("pipeline_run_publish", run), {"name": "nightly", "label": "first"})

    published = PublishedPipeline.objects.get()
    assert form.context["form"].initial["name"] == "p"
    assert (refused.status_code, list(refused.context["form"].errors)) == (422, ["name"])
    assert answer["Location"] == published.get_absolute_url()
    assert (published.name, published.label, published.published_from) == ("nightly", "first", run)


@pytest.mark.parametrize("name", VERBS)
def test_a_reader_may_not(client_for, reader, run, name):
    assert client_for(reader).post(address(name, run)).status_code == 403


@pytest.mark.parametrize("name", VERBS)
def test_a_stranger_finds_no_such_run(client_for, stranger, run, name):
    assert client_for(stranger).post(address(name, run)).status_code == 404


@pytest.mark.parametrize("name", VERBS)
def test_a_run_of_a_script_has_none_of_it(client_for, team_mate, experiment, name):
    script = factories.run(experiment, by=team_mate, status=RunStatus.COMPLETED)

    assert client_for(team_mate).post(address(name, script)).status_code == 404


@pytest.mark.parametrize("name", VERBS[:2])
def test_it_takes_a_post(client_for, team_mate, run, name):
    assert client_for(team_mate).get(address(name, run)).status_code == 405


def test_the_form_asks_as_much_for_many_steps_as_for_few(client_for, team_mate, experiment, local):
    client, counts = client_for(team_mate), []

    for steps in (3, 30):
        run = submit(experiment, team_mate, {f"s{number}": [] for number in range(steps)})
        with CaptureQueriesContext(connection) as queries:
            client.get(address("pipeline_run_publish", run))
        counts.append(len(queries))

    assert counts[0] == counts[1]
