"""The trash: what goes there is seen nowhere, comes back whole, and is removed for good with its files."""

from datetime import timedelta

import pytest
from django.core.management import call_command

from runs import search, storage
from runs.actions import experiments, purge, recording, retention, trash
from runs.actions.archiving import StillActive
from runs.errors import InvalidInput
from runs.models import Experiment, Metric, MetricPoint, Run, StatusCount
from runs.status import RunStatus
from tests import factories


@pytest.fixture(autouse=True)
def home(tmp_path, settings):
    settings.STUDIO_HOME = tmp_path


@pytest.fixture
def run(experiment, owner, noon):
    """A run that ended, with a child, a log, a file and a metric."""
    run = factories.run(experiment, by=owner, status=RunStatus.COMPLETED)
    factories.run(experiment, by=owner, status=RunStatus.FAILED, parent=run)
    storage.append_log(run.pk, "user_logs/std_log.txt", b"hello\n", offset=0)
    recording.save_artifact(run=run, path="outputs/model", chunks=[b"12345"], at=noon)
    recording.log_metrics(run=run, points=[recording.Point("loss", value=1.0)], at=noon)
    return run


def counted(experiment):
    return sum(StatusCount.objects.filter(experiment=experiment).values_list("count", flat=True))


def folder(home, run):
    return home / "data" / "runs" / "000000" / str(run.pk)


def test_a_deleted_run_is_seen_nowhere_and_comes_back_with_its_children(run, experiment, owner, noon):
    assert trash.trash_run(run=run, at=noon) == 2
    assert not Run.objects.exists()
    assert not search.apply(Run.objects.all(), "is:ended", user=owner, at=noon).exists()
    assert counted(experiment) == 0
    experiment.refresh_from_db()
    assert experiment.latest_run is None

    deleted = trash.get_deleted_run(experiment.workspace_id, run.run_id)

    assert trash.restore_run(run=deleted) == 2
    assert Run.objects.count() == counted(experiment) == 2


def test_deleting_twice_counts_once(run, experiment, noon):
    trash.trash_run(run=run, at=noon)

    assert trash.trash_run(run=run, at=noon) == 0
    assert counted(experiment) == 0


def test_nothing_active_is_deleted(run, experiment, owner, noon):
    factories.run(experiment, by=owner, status=RunStatus.RUNNING, parent=run)

    with pytest.raises(StillActive):
        trash.trash_run(run=run, at=noon)
    with pytest.raises(StillActive):
        trash.trash_experiment(experiment=experiment, at=noon)
    assert Run.objects.count() == counted(experiment) == 3


def test_an_experiment_goes_and_comes_back_without_what_was_deleted_before(run, experiment, owner, noon):
    earlier = factories.run(experiment, by=owner, status=RunStatus.FAILED)
    trash.trash_run(run=earlier, at=noon - timedelta(days=1))
    trash.trash_experiment(experiment=experiment, at=noon)
    assert not Experiment.objects.exists()
    assert not Run.objects.exists()

    trash.restore_experiment(experiment=Experiment.with_trash.get())

    assert Run.objects.count() == counted(Experiment.objects.get()) == 2


def test_a_name_in_the_trash_may_be_used_again(run, experiment, owner, noon):
    trash.trash_experiment(experiment=experiment, at=noon)
    again = experiments.get_or_create(workspace=experiment.workspace, name=experiment.name, by=owner, at=noon)

    assert again.pk != experiment.pk
    with pytest.raises(trash.CannotRestore, match="again"):
        trash.restore_experiment(experiment=Experiment.with_trash.get(pk=experiment.pk))


def test_a_purge_removes_rows_and_files_but_only_what_is_due(run, experiment, owner, noon, home, tmp_path):
    kept = factories.run(experiment, by=owner, status=RunStatus.FAILED)
    trash.trash_run(run=run, at=noon - timedelta(days=31))
    trash.trash_run(run=kept, at=noon - timedelta(days=29))

    assert purge.purge(at=noon, days=30) == 2

    assert list(Run.with_trash.all()) == [kept]
    assert not folder(tmp_path, run).exists()
    assert not Metric.objects.exists()
    assert not MetricPoint.objects.exists()


def test_a_purge_that_was_killed_goes_on(run, experiment, noon, tmp_path, monkeypatch):
    trash.trash_experiment(experiment=experiment, at=noon)
    delete = storage.delete_run
    monkeypatch.setattr(storage, "delete_run", lambda key: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        purge.purge(at=noon, days=0)
    with pytest.raises(trash.CannotRestore):
        trash.restore_experiment(experiment=Experiment.with_trash.get())

    monkeypatch.setattr(storage, "delete_run", delete)
    purge.purge(at=noon, days=0)

    assert not Run.with_trash.exists()
    assert not Experiment.with_trash.exists()
    assert not folder(tmp_path, run).exists()


def test_disk_use_is_kept_per_experiment(run, experiment, noon):
    assert purge.measure() == 2
    assert purge.measure() == 0

    experiment.refresh_from_db()
    assert experiment.disk_bytes == len(b"hello\n12345")
    trash.trash_run(run=run, at=noon)
    purge.purge(at=noon, days=0)
    experiment.refresh_from_db()
    assert experiment.disk_bytes == 0


def test_a_rule_moves_what_it_finds_and_never_what_is_active(run, experiment, workspace, owner, noon):
    old = noon + timedelta(days=91)
    active = factories.run(experiment, by=owner, status=RunStatus.RUNNING)
    other = factories.run(experiment, by=owner, status=RunStatus.FAILED)
    rule = retention.add_rule(workspace=workspace, query="status:completed", after_days=90, by=owner, at=noon)

    assert list(retention.found_by(rule, at=noon + timedelta(days=89))) == []
    assert list(retention.found_by(rule, at=old)) == [run]
    assert retention.apply_rules(at=old) == 2
    assert set(Run.objects.all()) == {active, other}


@pytest.mark.parametrize(("query", "days", "field"), [("status:", 5, "query"), ("", 0, "after_days")])
def test_a_rule_that_makes_no_sense_is_refused(workspace, owner, noon, query, days, field):
    with pytest.raises(InvalidInput) as refused:
        retention.add_rule(workspace=workspace, query=query, after_days=days, by=owner, at=noon)

    assert refused.value.field == field


def test_the_command_says_what_it_would_do(run, workspace, owner, noon, capsys):
    retention.add_rule(workspace=workspace, query="is:ended", after_days=1, by=owner, at=noon)
    trash.trash_run(run=run, at=noon)

    call_command("purge", "--dry-run", "--days=0")
    assert "Would remove 2 runs" in capsys.readouterr().out
    call_command("purge", "--days=0")

    assert not Run.with_trash.exists()
