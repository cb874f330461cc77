"""What is kept about experiments is compared with the rows, and repaired."""

from datetime import timedelta

import pytest
from django.core.management import call_command

from runs.models import Experiment, Run, SearchText, StatusCount
from runs.search import index
from runs.status import RunStatus
from tests import factories


@pytest.fixture
def runs(experiment, owner, noon):
    parent = factories.run(experiment, by=owner, status=RunStatus.RUNNING)
    child = factories.run(experiment, by=owner, status=RunStatus.COMPLETED, parent=parent)
    return [parent, child, factories.run(experiment, by=owner, at=noon + timedelta(minutes=1))]


def count_of(experiment, status, *, is_child=False):
    return StatusCount.objects.get(experiment=experiment, status=status, is_child=is_child).count


def test_nothing_has_drifted_where_nothing_went_wrong(runs, capsys):
    call_command("recount", "--check")

    assert capsys.readouterr().out == "0 differences.\n"


def test_check_reports_drift_and_changes_nothing(runs, experiment, capsys):
    StatusCount.objects.filter(status="Running", is_child=False).update(count=7)

    with pytest.raises(SystemExit) as ended:
        call_command("recount", "--check")

    assert ended.value.code == 1
    assert capsys.readouterr().out == "explore-runs: Running runs: kept 7, counted 1\n"
    assert count_of(experiment, "Running") == 7


def test_drift_is_repaired(runs, experiment, noon, capsys):
    StatusCount.objects.filter(status="Running", is_child=False).update(count=7)
    StatusCount.objects.filter(status="Completed", is_child=True).delete()
    Experiment.objects.update(latest_run=runs[0], latest_run_number=1, latest_submitted_at=noon)

    call_command("recount")

    assert "5 differences, repaired.\n" in capsys.readouterr().out
    assert (count_of(experiment, "Running"), count_of(experiment, "Completed", is_child=True)) == (1, 1)
    experiment.refresh_from_db()
    assert (experiment.latest_run, experiment.latest_run_number) == (runs[2], 3)
    assert experiment.latest_submitted_at == noon + timedelta(minutes=1)
    call_command("recount", "--check")


def test_numbers_of_runs_that_are_gone_are_not_given_out_again(runs, experiment):
    Run.objects.filter(pk=runs[2].pk).delete()

    call_command("recount")

    experiment.refresh_from_db()
    assert (experiment.latest_run, experiment.latest_run_number) == (runs[1], 3)


def test_the_search_texts_can_be_stored_anew(runs, capsys):
    index.refresh(run_ids=[runs[0].pk])
    SearchText.objects.update(text="nonsense")

    call_command("recount", "--search")

    assert "Stored the search texts of 3 runs." in capsys.readouterr().out
    assert SearchText.objects.filter(text__contains="explore-runs").count() == 3
