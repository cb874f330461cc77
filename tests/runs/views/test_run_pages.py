"""All tabs of a run's page: who may see them, what they answer to htmx, and how many queries they take."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs import storage
from runs.models import Attempt, Metric, MetricPoint, Param, Property, RunEvent, Tag
from runs.models.metric import MetricKind
from runs.status import RunStatus
from tests import factories

POLL = {"HX-Request": "true", "HX-Request-Type": "partial"}
TABS = ["run_detail", "run_metrics", "run_children", "run_outputs", "run_snapshot", "run_raw"]
BYTES = ["run_raw_download"]
ACTIONS = ["run_cancel", "run_resubmit", "run_tags", "run_describe"]
FRAGMENTS = {
    "run_detail": "run-details",
    "run_metrics": "run-metrics",
    "run_children": "run-children",
    "run_outputs": "run-tree",
    "run_status": "run-head",
}


@pytest.fixture
def run(experiment, team_mate, local):
    return factories.run(experiment, by=team_mate, compute_target=local, status=RunStatus.RUNNING)


def address(name, run):
    return reverse(name, args=[run.run_id])


@pytest.mark.parametrize("name", TABS + BYTES)
def test_a_member_sees_the_page(client_for, reader, run, name):
    assert client_for(reader).get(address(name, run)).status_code == 200


@pytest.mark.parametrize(
    "name", TABS + BYTES + ["run_status", "run_download", "run_log_tail", "run_log_count", "run_snapshot_download"]
)
def test_a_stranger_finds_no_such_page(client_for, stranger, run, name):
    assert client_for(stranger).get(address(name, run)).status_code == 404


@pytest.mark.parametrize("name", TABS)
def test_a_run_that_is_not_there_is_not_found(client_for, team_mate, name):
    assert client_for(team_mate).get(reverse(name, args=["nobody"])).status_code == 404


@pytest.mark.parametrize("name", TABS)
def test_whoever_is_not_signed_in_is_sent_to_the_sign_in(client, run, name):
    answer = client.get(address(name, run))

    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in/?next=")


@pytest.mark.parametrize("name", TABS)
def test_pages_are_only_read(client_for, team_mate, run, name):
    assert client_for(team_mate).post(address(name, run)).status_code == 405


@pytest.mark.parametrize("name", ACTIONS)
def test_actions_are_posts(client_for, team_mate, run, name):
    assert client_for(team_mate).get(address(name, run)).status_code == 405


@pytest.mark.parametrize("name", ACTIONS)
def test_a_reader_may_not_act(client_for, reader, run, name):
    assert client_for(reader).post(address(name, run), {"key": "a"}).status_code == 403


@pytest.mark.parametrize("name", ACTIONS)
def test_a_stranger_cannot_act(client_for, stranger, run, name):
    assert client_for(stranger).post(address(name, run), {"key": "a"}).status_code == 404


def test_a_reader_sees_the_buttons_grey_with_the_reason(client_for, reader, run):
    page = client_for(reader).get(address("run_detail", run)).content.decode()

    assert page.count('disabled title="This needs the role contributor."') == 4


@pytest.mark.parametrize(("name", "fragment"), FRAGMENTS.items())
def test_htmx_gets_only_the_fragment(client_for, team_mate, run, name, fragment):
    answer = client_for(team_mate).get(address(name, run), headers=POLL)

    text = answer.content.decode()
    assert f'id="{fragment}"' in text
    assert "<html" not in text
    assert "HX-Request" in answer["Vary"]


@pytest.mark.parametrize("name", FRAGMENTS)
def test_a_poll_without_news_is_answered_with_nothing(client_for, team_mate, run, name):
    client = client_for(team_mate)
    fragment = client.get(address(name, run), headers=POLL).content.decode()
    [version] = re.findall('{"v": "([0-9a-f]+)"}', fragment)

    assert client.get(address(name, run), {"v": version}, headers=POLL).status_code == 204


@pytest.mark.parametrize("name", FRAGMENTS)
def test_an_active_run_polls_and_an_ended_one_does_not(client_for, team_mate, experiment, local, run, name):
    ended = factories.run(experiment, by=team_mate, compute_target=local, status=RunStatus.COMPLETED)
    client = client_for(team_mate)

    assert b"hx-trigger" in client.get(address(name, run), headers=POLL).content
    assert f'id="{FRAGMENTS[name]}" hx-get' not in client.get(address(name, ended), headers=POLL).content.decode()


def hang(run, amount, by):
    """Hang `amount` of everything on the run."""
    Tag.objects.bulk_create(Tag(run=run, key=f"tag{n}", value=str(n)) for n in range(amount))
    Property.objects.bulk_create(Property(run=run, key=f"property{n}", value=str(n)) for n in range(amount))
    Param.objects.bulk_create(Param(run=run, name=f"param{n}", value=str(n)) for n in range(amount))
    RunEvent.objects.bulk_create(
        RunEvent(run=run, to_status="Running", at=factories.NOON, by=by) for _ in range(amount)
    )
    Attempt.objects.bulk_create(
        Attempt(
            run=run,
            number=n + 1,
            compute_target=run.compute_target,
            host="host1",
            boot_id="boot1",
            cookie=f"cookie{n}",
            claimed_at=factories.NOON,
            lease_until=factories.NOON,
            ended_at=factories.NOON,
        )
        for n in range(amount)
    )
    metrics = Metric.objects.bulk_create(
        Metric(run=run, name=f"metric{n}", kind=MetricKind.NUMBER, point_count=2, latest_value=0.5)
        for n in range(amount)
    )
    MetricPoint.objects.bulk_create(
        MetricPoint(metric=metric, step=step, at=factories.NOON, value=step) for metric in metrics for step in (1, 2)
    )
    for n in range(amount):
        child = factories.run(run.experiment, by=by, parent=run, compute_target=run.compute_target)
        Tag.objects.create(run=child, key="a", value="b")
        storage.append_log(run.pk, f"logs/log{n}.txt", b"line\n", offset=0)


@pytest.mark.parametrize("name", TABS)
def test_the_number_of_queries_does_not_depend_on_how_much_there_is(
    client_for, team_mate, experiment, local, tmp_path, settings, name
):
    settings.STUDIO_HOME = tmp_path
    few = factories.run(experiment, by=team_mate, compute_target=local, status=RunStatus.RUNNING)
    many = factories.run(experiment, by=team_mate, compute_target=local, status=RunStatus.RUNNING)
    hang(few, 3, team_mate)
    hang(many, 30, team_mate)
    client = client_for(team_mate)
    client.get(address(name, few))

    with CaptureQueriesContext(
        connection,
    ) as for_few:
        client.get(address(name, few))
    with CaptureQueriesContext(connection) as for_many:
        client.get(address(name, many))

    assert len(for_few) == len(for_many)
    assert len(for_few) <= 20
