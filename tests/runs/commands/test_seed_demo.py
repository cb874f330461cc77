"""The demo is believable, whole, and the same for the same seed."""

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db.models import F

from runs import search, storage
from runs.models import (
    Attempt,
    Experiment,
    Metric,
    MetricPoint,
    Param,
    Run,
    RunEvent,
    RunType,
    SearchKey,
    SearchText,
    StatusCount,
    Tag,
)
from runs.search import index, keys
from runs.status import RunStatus
from tests import factories


@pytest.fixture(autouse=True)
def home(settings, tmp_path):
    """Its logs are none of other tests' runs of the same number."""
    settings.STUDIO_HOME = tmp_path


def seed(*arguments):
    call_command("seed_demo", "--until", "2026-11-23T12:00+00:00", *arguments)


@pytest.fixture
def demo(db):
    seed("--runs", "400")


def test_there_are_as_many_runs_as_asked_in_every_status_and_of_every_type(demo):
    assert Run.objects.count() == 400
    assert set(Run.objects.values_list("status", flat=True)) == {status.value for status in RunStatus}
    assert set(Run.objects.values_list("run_type", flat=True)) == set(RunType.values)
    assert Run.objects.filter(parent__isnull=False, root=F("parent"), experiment=F("parent__experiment")).exists()


def test_everything_hangs_together(demo):
    call_command("recount", "--check")

    assert SearchText.objects.count() == 400
    assert StatusCount.objects.filter(count__gt=0).exists()
    assert not Run.objects.exclude(run_id__regex=r"^([a-z0-9-]+_\d+_[0-9a-f]{8}|[0-9a-f]{32})$").exists()
    assert not Run.objects.filter(created_at__gt=factories.NOON).exists()
    assert not Run.objects.filter(ended_at__lt=F("started_at")).exists()
    # The latest event of every run tells where it stands.
    latest = {event.run_id: event.to_status for event in RunEvent.objects.order_by("id")}
    assert latest == dict(Run.objects.values_list("pk", "status"))


def test_the_search_finds_what_was_seeded(demo, admin):
    tag = Tag.objects.filter(key="stage").latest("id")
    texts = {text.run_id: text.text for text in SearchText.objects.all()}

    found = search.apply(Run.objects.all(), f"tags.stage:{tag.value} stage", user=admin, at=factories.NOON)
    index.rebuild()

    assert tag.run in found
    assert {text.run_id: text.text for text in SearchText.objects.all()} == texts


def test_the_search_bar_offers_what_was_seeded(demo):
    kept = set(SearchKey.objects.values_list("kind", "key"))

    keys.rebuild()

    assert ("metrics", "loss") in kept
    assert kept == set(SearchKey.objects.values_list("kind", "key"))


def test_two_frequent_tags_never_meet(demo, admin):
    assert Tag.objects.filter(key__in=["trigger", "notebook"]).count() == 400

    found = search.apply(Run.objects.all(), "has:tags.trigger has:tags.notebook", user=admin, at=factories.NOON)

    assert not found.exists()


def test_the_newest_runs_are_told_in_full(demo):
    metric = Metric.objects.filter(point_count__gt=1).latest("id")
    script = Run.objects.filter(run_type="script", status="Completed").latest("id")

    assert MetricPoint.objects.filter(metric=metric).count() == metric.point_count
    assert Param.objects.filter(name="learning_rate", number__isnull=False).exists()
    assert Attempt.objects.get(run=script).ended_at == script.ended_at
    assert storage.read_log(script.pk, "user_logs/std_log.txt", offset=0, limit=10_000).endswith(b"\ndone\n")


def test_the_same_seed_makes_the_same_demo(db):
    seed("--runs", "60")
    first = list(Run.objects.order_by("pk").values_list("run_id", "status", "display_name", "number", "created_at"))
    Run.objects.all().delete()
    Experiment.objects.all().delete()

    seed("--runs", "60")

    again = list(Run.objects.order_by("pk").values_list("run_id", "status", "display_name", "number", "created_at"))
    assert again == first


def test_another_call_goes_on_where_the_first_ended(db):
    seed("--runs", "60")

    seed("--runs", "60")

    assert Run.objects.count() == 120
    call_command("recount", "--check")


def test_it_goes_where_it_is_told(db):
    seed("--runs", "50", "--workspace", "lab", "--user", "olivia")

    assert set(Run.objects.values_list("workspace__name", flat=True)) == {"lab"}
    assert Run.objects.filter(submitted_by=User.objects.get(username="olivia")).exists()


def test_no_runs_at_all_is_refused(db):
    with pytest.raises(CommandError, match="expected at least 1"):
        seed("--runs", "0")
