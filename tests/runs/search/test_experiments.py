"""The search bar over the list of experiments."""

import pytest
from django.urls import reverse

from runs import search
from runs.models import Experiment, Run
from runs.search import experiments, index, plan
from tests import factories


@pytest.fixture
def three(workspace, owner):
    churn = factories.experiment(workspace, "churn-eu", description="Who leaves?", tags={"team": "Vision"})
    factories.experiment(workspace, "sales", tags={"città": "Forlì"})
    factories.experiment(workspace, "100%")
    run = factories.run(churn, by=owner, display_name="bert large")
    index.refresh(run_ids=[run.pk])


def found(text, user):
    shown, _ = experiments.apply(
        Experiment.objects.order_by("name"), text, runs=Run.objects.all(), user=user, at=factories.NOON
    )
    return [experiment.name for experiment in shown]


@pytest.mark.parametrize("few", [0, 2_000])
@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["100%", "churn-eu", "sales"]),
        ("CHURN", ["churn-eu"]),
        ("leaves", ["churn-eu"]),
        ("vision team", ["churn-eu"]),
        ("forlì", ["sales"]),
        ("0%", ["100%"]),
        ("churn OR sales", ["churn-eu", "sales"]),
        ("-s", ["100%", "churn-eu"]),
        ("(eu OR sales) -team", ["churn-eu", "sales"]),
        # By their runs.
        ("bert", ["churn-eu"]),
        ("status:queued", ["churn-eu"]),
        ("status:failed", []),
        ("submitter:me large", ["churn-eu"]),
    ],
)
def test_experiments_are_found_by_their_own_texts_and_by_their_runs(text, names, few, three, owner, monkeypatch):
    monkeypatch.setattr(plan, "FEW", few)

    assert found(text, owner) == names


def test_a_list_that_looked_at_some_runs_only_says_so(three, owner, client_for, workspace, monkeypatch):
    monkeypatch.setattr(plan, "FEW", 0)
    factories.run(factories.experiment(workspace, "newer"), by=owner)
    client, address = client_for(owner), reverse("experiment_list", args=[workspace.name])

    whole = client.get(address, {"q": "status:queued"})
    monkeypatch.setattr(experiments, "FAR", 1)
    part = client.get(address, {"q": "status:queued"})

    assert [experiment.name for experiment, _ in part.context["rows"]] == ["newer"]
    assert len(whole.context["rows"]) == 2
    assert b"newest 1 runs" in part.content
    assert b"newest" not in whole.content


def test_a_mistake_is_pointed_at(three, owner):
    with pytest.raises(search.QuerySyntaxError, match="unknown field 'stauts' at 7"):
        found("churn stauts:failed", owner)
