"""Stored code goes once nothing names it, and never under the hands of who stores the same."""

import io
import os
import re
import threading
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from runs import storage
from runs.actions import purge, retention, snapshots, trash
from runs.models import Experiment, PipelineDraft, PipelineRun, PublishedPipeline, Run, RunType, Snapshot
from runs.status import RunStatus
from tests import factories

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def home(tmp_path, settings):
    settings.STUDIO_HOME = tmp_path


@pytest.fixture
def now():
    """The machine's time, which the files have."""
    return timezone.now()


def store(workspace, at, text=b"print(1)"):
    return snapshots.store_files(workspace=workspace, files=[("train.py", io.BytesIO(text))], at=at)


@pytest.fixture
def code(workspace, now):
    """A snapshot that nothing names, last stored two days ago."""
    return aged(store(workspace, now), now)


def aged(snapshot, now):
    then = (now - 2 * DAY).timestamp()
    path = storage.snapshots._path(snapshot.digest)
    os.utime(path, (then, then))
    return snapshot


def is_stored(snapshot):
    assert Snapshot.objects.filter(pk=snapshot.pk).exists() == storage.has_snapshot(snapshot.digest)
    return storage.has_snapshot(snapshot.digest)


@pytest.mark.django_db
def test_code_goes_with_its_last_run_and_not_before(code, experiment, owner, now):
    runs = [factories.run(experiment, by=owner, status=RunStatus.FAILED, snapshot=code) for _ in range(2)]
    for run in runs:
        assert purge.purge_snapshots(at=now) == 0
        trash.trash_run(run=run, at=now)
        assert purge.purge_snapshots(at=now) == 0
        purge.purge(at=now, days=0)

    assert purge.purge_snapshots(at=now) == 1
    assert not is_stored(code)


@pytest.mark.django_db
@pytest.mark.parametrize("document", [PipelineDraft, PublishedPipeline, PipelineRun])
def test_code_that_a_pipeline_names_stays(document, code, workspace, experiment, owner, now):
    definition = {"name": "p", "steps": {"a": {"script": "train.py", "snapshot": code.digest}}}
    if document is PipelineDraft:
        named_by = factories.pipeline_draft(workspace, by=owner, document=definition)
    elif document is PublishedPipeline:
        named_by = factories.published_pipeline(workspace, by=owner, definition=definition)
    else:
        run = factories.run(experiment, by=owner, run_type=RunType.PIPELINE)
        named_by = factories.pipeline_run(run, definition=definition)
    assert purge.purge_snapshots(at=now) == 0

    named_by.delete()

    assert purge.purge_snapshots(at=now) == 1


@pytest.mark.django_db
def test_code_of_two_workspaces_goes_with_the_last(code, now):
    other = factories.workspace("other")
    second = store(other, now)
    run = factories.run(
        factories.experiment(other), by=factories.user(), status=RunStatus.FAILED, snapshot=aged(second, now)
    )

    assert purge.purge_snapshots(at=now) == 1
    assert is_stored(second)
    Run.objects.filter(pk=run.pk).delete()
    assert purge.purge_snapshots(at=now) == 1
    assert not is_stored(second)


@pytest.mark.django_db
def test_code_that_came_or_came_again_today_stays(code, workspace, now):
    store(workspace, now)

    assert purge.purge_snapshots(at=now) == 0
    assert is_stored(code)


@pytest.mark.django_db
def test_a_row_whose_bytes_are_gone_already_goes(code, now):
    storage.delete_snapshot(code.digest)

    call_command("purge")

    assert not Snapshot.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("days", [0, 30])
def test_a_dry_run_counts_what_a_purge_removes(days, workspace, experiment, owner, now, capsys):
    def ended(text, *, room=experiment, parent=None, deleted_days=None):
        code = aged(store(workspace, now, text), now)
        run = factories.run(room, by=owner, status=RunStatus.FAILED, snapshot=code, parent=parent)
        Run.objects.filter(pk=run.pk).update(ended_at=now - 3 * DAY)
        if deleted_days is not None:
            trash.trash_run(run=run, at=now - deleted_days * DAY)
        return run

    # Named by nothing, and that just now; by runs that stay, one of them with a rule, and that go.
    aged(store(workspace, now, b"unnamed"), now)
    store(workspace, now, b"just stored")
    ended(b"stays")
    found = ended(b"a rule finds it", room=factories.experiment(workspace, "old"))
    ended(b"its child", parent=found)
    retention.add_rule(workspace=workspace, query="experiment:old", after_days=1, by=owner, at=now)
    ended(b"deleted today", deleted_days=0)
    ended(b"deleted last month", deleted_days=31)
    # By the document of a pipeline alone, whose run goes.
    pipeline = factories.run(experiment, by=owner, run_type=RunType.PIPELINE, status=RunStatus.FAILED)
    step = {"script": "train.py", "snapshot": aged(store(workspace, now, b"step"), now).digest}
    factories.pipeline_run(pipeline, definition={"name": "p", "steps": {"a": step}})
    trash.trash_run(run=pipeline, at=now - 31 * DAY)
    # Of an experiment whose deletion was stopped at once, and what a purge that was stopped had marked.
    halfway = factories.experiment(workspace, "halfway")
    factories.run(halfway, by=owner, status=RunStatus.FAILED, snapshot=aged(store(workspace, now, b"half"), now))
    Experiment.objects.filter(pk=halfway.pk).update(trashed_at=now - 31 * DAY)
    marked = ended(b"marked", deleted_days=1)
    Run.with_trash.filter(pk=marked.pk).update(purged_at=now)
    # Parts of a file that came to no end, and of one that is on its way.
    storage.begin_upload(found.pk, "old.bin")
    (upload,) = (storage.files.snapshot_folder().parent / "uploads").iterdir()
    os.utime(upload, (0, 0))
    storage.begin_upload(found.pk, "new.bin")
    rows, files = Snapshot.objects.count(), len(list(files_of_snapshots()))

    call_command("purge", "--dry-run", f"--days={days}")
    would = told(capsys)
    assert (Snapshot.objects.count(), len(list(files_of_snapshots()))) == (rows, files)
    runs = Run.with_trash.count()
    call_command("purge", f"--days={days}")

    assert would == told(capsys) == [runs - Run.with_trash.count(), rows - Snapshot.objects.count(), 1]
    assert would == ([7, 8, 1] if days == 0 else [4, 5, 1])
    assert len(list(files_of_snapshots())) == files - would[1]


def files_of_snapshots():
    return storage.files.snapshot_folder().rglob("*.zip")


def told(capsys):
    """Return how many runs and snapshots the command says that it removed, or would remove."""
    return [int(count) for count in re.findall(r"emoved? (\d+) ", capsys.readouterr().out)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("where", ["here", "in another workspace"])
def test_who_stores_the_same_while_it_is_removed_has_it(where, code, workspace, now, monkeypatch):
    room = workspace if where == "here" else factories.workspace("other")
    begun, stored, delete = threading.Event(), [], storage.delete_snapshot

    def submit():
        begun.wait(60)
        try:
            stored.append(store(room, now))
        finally:
            connection.close()

    def slowly(digest):
        begun.set()
        # Time enough to come between, if it could.
        submitter.join(0.5)
        assert submitter.is_alive()
        delete(digest)

    monkeypatch.setattr(storage, "delete_snapshot", slowly)
    submitter = threading.Thread(target=submit)
    submitter.start()
    assert purge.purge_snapshots(at=now) == 1
    submitter.join(30)

    assert Snapshot.objects.get() == stored[0] != code
    assert is_stored(stored[0])


@pytest.mark.django_db(transaction=True)
def test_what_is_removed_while_the_same_is_stored_stays(code, workspace, now, monkeypatch):
    begun, removed, touch = threading.Event(), [], storage.touch_snapshot

    def remove():
        begun.wait(60)
        try:
            removed.append(snapshots.remove(code, unwanted_since=now - DAY))
        finally:
            connection.close()

    def slowly(digest):
        begun.set()
        remover.join(0.5)
        assert remover.is_alive()
        return touch(digest)

    monkeypatch.setattr(storage, "touch_snapshot", slowly)
    remover = threading.Thread(target=remove)
    remover.start()
    assert store(workspace, now) == code
    remover.join(30)

    assert removed == [False]
    assert is_stored(code)


@pytest.mark.django_db(transaction=True)
def test_a_run_never_names_code_that_was_removed(code, experiment, owner, now):
    snapshots.remove(code, unwanted_since=now - DAY)

    with pytest.raises(IntegrityError), transaction.atomic():
        factories.run(experiment, by=owner, snapshot=code)

    assert not Run.objects.exists()
