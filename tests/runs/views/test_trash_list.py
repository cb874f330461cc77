"""The trash page: who may delete, restore and set rules, what a dry run says, and how many queries it takes."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs.actions import trash
from runs.models import Experiment, RetentionRule, Run
from runs.status import RunStatus
from tests import factories


@pytest.fixture
def run(experiment, owner):
    return factories.run(experiment, by=owner, status=RunStatus.COMPLETED, display_name="old one")


def page(workspace):
    return reverse("trash_list", args=[workspace.name])


def test_a_run_goes_to_the_trash_and_comes_back(client_for, team_mate, workspace, experiment, run):
    client = client_for(team_mate)

    answer = client.post(reverse("run_delete", args=[run.run_id]))
    assert answer.url == experiment.get_absolute_url()
    assert client.get(run.get_absolute_url()).status_code == 404
    assert "old one" in client.get(page(workspace)).content.decode()

    client.post(reverse("trash_restore", args=[workspace.name]), {"run": run.run_id})
    assert client.get(run.get_absolute_url()).status_code == 200


def test_an_experiment_goes_to_the_trash_and_comes_back(client_for, team_mate, workspace, experiment, run):
    client = client_for(team_mate)

    client.post(reverse("experiment_delete", args=[workspace.name, experiment.name]))
    assert client.get(experiment.get_absolute_url()).status_code == 404
    assert client.get(run.get_absolute_url()).status_code == 404

    client.post(reverse("trash_restore", args=[workspace.name]), {"experiment": experiment.pk})
    assert Experiment.objects.get() == experiment
    assert Run.objects.get() == run


def test_an_active_run_stays(client_for, team_mate, experiment):
    run = factories.run(experiment, by=team_mate, status=RunStatus.RUNNING)

    answer = client_for(team_mate).post(reverse("run_delete", args=[run.run_id]), follow=True)

    assert "cancel it first" in answer.content.decode()
    assert Run.objects.get() == run


def test_readers_and_strangers_change_nothing(client_for, reader, stranger, team_mate, workspace, experiment, run):
    addresses = [
        reverse("run_delete", args=[run.run_id]),
        reverse("experiment_delete", args=[workspace.name, experiment.name]),
        reverse("trash_restore", args=[workspace.name]),
        reverse("retention_rules", args=[workspace.name]),
    ]

    assert [client_for(reader).post(address).status_code for address in addresses] == [403] * 4
    assert [client_for(stranger).post(address).status_code for address in addresses] == [404] * 4
    assert client_for(team_mate).post(addresses[-1]).status_code == 403
    assert client_for(stranger).get(page(workspace)).status_code == 404
    assert client_for(reader).get(page(workspace)).status_code == 200


def test_an_owner_sets_rules_and_runs_them_dry(client_for, owner, workspace, run):
    client = client_for(owner)
    rules = reverse("retention_rules", args=[workspace.name])
    Run.objects.update(ended_at=run.ended_at - timedelta(days=400))

    client.post(rules, {"query": "status:completed", "after_days": "30"})
    rule = RetentionRule.objects.get()
    dry = client.get(page(workspace), {"rule": rule.pk})
    client.post(rules, {"remove": rule.pk})

    assert dry.context["dry_run"]["count"] == 1
    assert Run.objects.get() == run
    assert not RetentionRule.objects.exists()


@pytest.mark.parametrize("typed", [{"query": "status:", "after_days": "5"}, {"query": "", "after_days": "x"}])
def test_a_rule_with_a_mistake_is_shown_again(client_for, owner, workspace, typed):
    answer = client_for(owner).post(reverse("retention_rules", args=[workspace.name]), typed)

    assert answer.status_code == 422
    assert answer.context["problem"]
    assert not RetentionRule.objects.exists()


def test_more_in_the_trash_takes_no_more_queries(client_for, owner, workspace, experiment, noon):
    counts = []
    for amount in (3, 30):
        for _ in range(amount):
            trash.trash_run(run=factories.run(experiment, by=owner, status=RunStatus.FAILED), at=noon)
        with CaptureQueriesContext(connection) as queries:
            client_for(owner).get(page(workspace))
        counts.append(len(queries))

    assert counts[0] == counts[1]
