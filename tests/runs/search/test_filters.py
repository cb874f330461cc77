"""Each field finds what its documentation says, whichever of its two ways is taken."""

from datetime import UTC, datetime, timedelta

import pytest

from runs import search
from runs.models import Dataset, DatasetUse, Metric, Param, Property, Run, RunType, Tag
from runs.search import index, plan
from runs.search.fields import FIELDS
from runs.status import RunStatus
from tests import factories

NOON = factories.NOON


@pytest.fixture
def cast(workspace, owner, team_mate):
    """Four runs, by display name: bert and child in one experiment, adam and old in another."""
    churn, sales = factories.experiment(workspace, "churn-eu"), factories.experiment(workspace, "sales")
    gpu = factories.compute_target("gpu-compute")
    bert = factories.run(
        churn,
        by=owner,
        status=RunStatus.FAILED,
        display_name="bert large",
        description="A **baseline** of 100% BERT_base",
        compute_target=gpu,
        started_at=NOON - timedelta(minutes=20),
        duration_seconds=1200.0,
    )
    child = factories.run(churn, by=team_mate, parent=bert, run_type=RunType.INTERACTIVE, display_name="child")
    adam = factories.run(
        sales, by=team_mate, status=RunStatus.CANCELED, at=NOON - timedelta(days=2), display_name="adam"
    )
    old = factories.run(
        sales,
        by=owner,
        status=RunStatus.COMPLETED,
        at=NOON - timedelta(days=60),
        display_name="old",
        archived_at=NOON,
        duration_seconds=5.0,
    )
    for run, key, value in [
        (bert, "quality", "Great Run"),
        (child, "quality", "poor"),
        (adam, "gold", None),
        (adam, "my key", "x.y"),
        (old, "quality", "great run"),
    ]:
        Tag.objects.create(run=run, key=key, value=value)
    Property.objects.create(run=bert, key="author", value="azureml-user")
    for run, name, value, number in [
        (bert, "lr", "1e-3", 0.001),
        (child, "lr", "0.5", 0.5),
        (child, "optimizer", "Adam", None),
        (adam, "lr", "10", 10.0),
    ]:
        Param.objects.create(run=run, name=name, value=value, number=number)
    for run, name, latest, lowest, highest in [
        (bert, "loss", 0.3, 0.1, 0.9),
        (child, "loss", 0.15, 0.15, 0.2),
        (child, "a.min", 7.0, 6.0, 8.0),
    ]:
        Metric.objects.create(
            run=run, name=name, kind="number", latest_value=latest, min_value=lowest, max_value=highest
        )
    iris = Dataset.objects.create(experiment=churn, name="iris", digest="4f3a", source_type="local", source="{}")
    DatasetUse.objects.create(run=bert, dataset=iris, context="training")
    index.refresh(run_ids=[bert.pk, child.pk, adam.pk, old.pk])
    return {run.display_name: run for run in (bert, child, adam, old)}


QUERIES = [
    ("", "adam bert-large child"),
    ("dataset.name:iris", "bert-large"),
    ("dataset.context:testing", ""),
    ("-dataset.name:iris", "adam child"),
    ("is:archived", "old"),
    ("is:archived OR -is:archived", "adam bert-large child old"),
    # Bare words: any text, any case, parts of words.
    ("BERT", "bert-large"),
    ("churn", "bert-large child"),
    ("tom", "adam child"),
    ("great", "bert-large"),
    ("qual", "bert-large child"),
    ('"quality: great"', "bert-large"),
    ("100%", "bert-large"),
    ("bert_base", "bert-large"),
    ("1_0%", ""),
    ("baseline large", "bert-large"),
    ("baseline poor", ""),
    ("baseline OR poor", "bert-large child"),
    ("-churn", "adam"),
    ("churn -poor", "bert-large"),
    # Shorter than a trigram.
    ("eu", "bert-large child"),
    ("x.", "adam"),
    ("zz", ""),
    ("zz OR adam", "adam"),
    ("eu poor", "child"),
    # Columns.
    ("status:failed,canceled", "adam bert-large"),
    ("status:FAILED", "bert-large"),
    ("status!=failed", "adam child"),
    ("status:active", "child"),
    ("status:ended", "adam bert-large"),
    ("is:active,mine", "bert-large child"),
    ("is:child", "child"),
    ("submitter:me", "bert-large"),
    ("submitter:TOM", "adam child"),
    ("submitter:t*", "adam child"),
    ("submitter:nobody", ""),
    ("-submitter:nobody", "adam bert-large child"),
    ("experiment:sales", "adam"),
    ("experiment:CHURN-*,sales", "adam bert-large child"),
    ("experiment!=sales", "bert-large child"),
    ("name:ert", "bert-large"),
    ("name:b*t", ""),
    ("name:b*large", "bert-large"),
    ('name="bert large"', "bert-large"),
    ("description:Baseline", "bert-large"),
    ("type:script", "adam bert-large"),
    ("target:gpu-*", "bert-large"),
    ("target:none", "adam child"),
    ("-target:gpu-compute", "adam child"),
    ("target!=none", "bert-large"),
    ("number:1", "adam bert-large"),
    ("number:>1", "child"),
    ("number:2..", "child"),
    ("number:0..1", "adam bert-large"),
    ("number:1,2", "adam bert-large child"),
    ("number!=1", "child"),
    ("parent:none", "adam bert-large"),
    ("parent!=none", "child"),
    # Times.
    ("created:2026-11-23", "bert-large child"),
    ("created:2026-11-21..2026-11-22", "adam"),
    ("created:<2026-11-23", "adam"),
    ("created:<=2026-11-21", "adam"),
    ("created:>2026-11-21", "bert-large child"),
    ("created:>=2026-11-21", "adam bert-large child"),
    ("created:>2026-11-23", ""),
    ("created:2026-11-23T12:00", "bert-large child"),
    ("created:2026-11-23T12:00:01", ""),
    ("created:today", "bert-large child"),
    ("created:yesterday", ""),
    ("created:7d", "adam bert-large child"),
    ("created:>1d", "bert-large child"),
    ("created:<1d", "adam"),
    ("created!=today", "adam"),
    ("started:<2026-11-24", "bert-large"),
    ("ended:2d", "adam bert-large"),
    ("duration:>10m", "bert-large"),
    ("duration:20m", "bert-large"),
    ("duration:<1h30m", "bert-large"),
    ("-duration:>0", "adam child"),
    # Keys.
    ('tags.quality:"great run"', "bert-large"),
    ('tags.quality="great run"', ""),
    ("tags.quality:poor,great*", "bert-large child"),
    ("tags.quality!=poor", "bert-large"),
    ("-tags.quality:poor", "adam bert-large"),
    ("tags.quality:*o*r", "child"),
    ('tags."my key":x.y', "adam"),
    ('tags.quality:"great*"', ""),
    ("has:tags.gold", "adam"),
    ("has:tags.quality,tags.gold", "adam bert-large child"),
    ("-has:tags.quality", "adam"),
    ("properties.author:azureml-user", "bert-large"),
    ("properties.author:azure*", "bert-large"),
    ("has:properties.author", "bert-large"),
    ("params.lr:0.001", "bert-large"),
    ("params.lr<5", "bert-large child"),
    ("params.lr:0.1..100", "adam child"),
    ("params.lr!=10", "bert-large child"),
    ("params.optimizer:adam", "child"),
    ("params.optimizer:a*", "child"),
    ("has:params.optimizer", "child"),
    ("metrics.loss<0.2", "child"),
    ("metrics.loss.min<0.2", "bert-large child"),
    ("metrics.loss.max:>0.5", "bert-large"),
    ('metrics."a.min">6.5', "child"),
    ("metrics.a.min.min<7", "child"),
    ("has:metrics.loss", "bert-large child"),
    ("order:-metrics.loss is:child", "child"),
    # Together.
    ("tags.quality:poor churn", "child"),
    ("(tags.quality:poor OR has:tags.gold) -experiment:sales", "child"),
    ("NOT (status:failed OR status:canceled)", "child"),
    ("metrics.loss<1 params.lr>0.1 submitter:tom", "child"),
]


def found(text, user):
    runs = search.apply(Run.objects.all(), text, user=user, at=NOON)
    return " ".join(sorted(name.replace(" ", "-") for name in runs.values_list("display_name", flat=True)))


@pytest.mark.parametrize(("text", "names"), QUERIES)
def test_a_query_finds_its_runs_by_the_index_of_the_few(text, names, cast, owner):
    assert found(text, owner) == names


@pytest.mark.parametrize(("text", "names"), QUERIES)
def test_a_query_finds_the_same_runs_by_walking_the_many(text, names, cast, owner, monkeypatch):
    monkeypatch.setattr(plan, "FEW", 0)

    assert found(text, owner) == names


def test_every_field_is_tried_above():
    tried = " ".join(text for text, _ in QUERIES)

    assert not [name for name in FIELDS if f"{name}:" not in tried and f"{name}." not in tried and name != "id"]


def test_id_and_parent_take_run_ids(cast, owner):
    parent = cast["bert large"]

    assert found(f"parent:{parent.run_id}", owner) == "child"
    assert found(f"id:{parent.run_id}", owner) == "bert-large"


@pytest.mark.parametrize("name", FIELDS)
def test_every_example_in_the_table_of_fields_can_be_searched(name, db, owner):
    assert FIELDS[name].example.startswith(name)
    assert found(FIELDS[name].example, owner) == ""


@pytest.mark.parametrize(
    ("text", "position", "length", "message"),
    [
        ("a stauts:failed", 2, 6, "unknown field 'stauts' at 3; did you mean 'status'?"),
        ("xyzzy:1", 0, 5, "unknown field 'xyzzy' at 1; expected status, submitter"),
        ("status:fialed", 7, 6, "unknown status 'fialed' at 8; did you mean 'failed'?"),
        ("status>failed", 0, 6, "'status' cannot be compared by '>' at 1; expected :, =, !="),
        ("status:a..b", 7, 4, "'status' takes no range"),
        ("status:f*", 7, 2, "'status' takes no '*' at 8"),
        ("status.x:failed", 0, 8, "'status' takes no key"),
        ("tags:gold", 0, 4, "'tags' needs a key at 1; expected tags.key:value"),
        ("tags.x>5", 0, 6, "'tags' cannot be compared by '>'"),
        ("is:archvied", 3, 8, "did you mean 'archived'?"),
        ("type:scrpt", 5, 5, "did you mean 'script'?"),
        ("number:many", 7, 4, "'many' is no whole number at 8"),
        ("params.lr<fast", 10, 4, "'fast' is no number at 11"),
        ("params.lr<nan", 10, 3, "'nan' is no number"),
        ("duration:>soon", 10, 4, "'soon' is no duration at 11; expected a duration such as 90s"),
        ("created:>2026-13-01", 9, 10, "'2026-13-01' is no time"),
        ("created:>0001-01-01", 9, 10, "'0001-01-01' is no time"),
        ("created:<999999w", 9, 7, "is no time"),
        ("created:2026", 8, 4, "is no time"),
        ("has:gold", 4, 4, "unknown word after has: 'gold'"),
        ("has:tags", 4, 4, "expected has:tags.key"),
    ],
)
def test_what_no_field_understands_is_pointed_at(text, position, length, message, db, owner):
    with pytest.raises(search.QuerySyntaxError) as caught:
        found(text, owner)

    assert (caught.value.position, caught.value.length) == (position, length)
    assert message in caught.value.message


def test_days_are_those_of_the_readers_time_zone(experiment, owner, settings):
    late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    factories.run(experiment, by=owner, at=late, display_name="late")

    settings.TIME_ZONE = "Europe/Rome"

    assert found("created:2026-11-23", owner) == "late"


def test_a_search_for_what_is_rare_stays_within_its_list(cast, owner, stranger):
    elsewhere = factories.run(factories.experiment(stranger.workspaces.get()), by=stranger, display_name="bert here")
    index.refresh(run_ids=[elsewhere.pk])

    runs = search.apply(Run.objects.filter(workspace=elsewhere.workspace), "bert", user=stranger, at=NOON)

    assert [run.display_name for run in runs] == ["bert here"]


def test_names_field_tells_whether_children_are_asked_for():
    assert search.names_field("a (b OR parent:x)", "parent")
    assert not search.names_field("parent", "parent")
