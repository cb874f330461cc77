"""A web server that stays away from a worker: its runs end all the same, and their last bytes come later."""

import pytest

from runs import storage
from runs.actions import recording
from runs.execution import finish, host, leftovers, outcome, patience
from runs.execution.outcome import Outcome
from runs.models import Artifact, Attempt, Run
from runs.status import RunStatus
from runs.storage import remote
from tests import factories
from tests.runs.storage.test_stores import LOG

pytestmark = pytest.mark.slow

DONE = Outcome(RunStatus.COMPLETED, exit_code=0, started_at="2026-05-04T12:00:00+00:00")


@pytest.fixture
def far(attempt, http_store, road, settings, tmp_path, monkeypatch):
    """An attempt of this machine whose worker goes by the road, has left a log and a file, and finds nobody."""
    monkeypatch.setattr(remote, "_PATIENCE_SECONDS", 0.1)
    settings.STUDIO_URL, settings.STUDIO_WORK_FOLDER = road.url, str(tmp_path / "work")
    storage.sign_out(attempt.run_id)
    finish.delivery.sign_in(attempt)
    outputs = host.work_folder(attempt) / "code" / "outputs"
    outputs.mkdir(parents=True)
    (outputs / "model.bin").write_bytes(b"model")
    road.is_closed = True
    storage.append_log(attempt.run_id, LOG, b"the last words", offset=0)
    return attempt


def delivered(attempt):
    """Return what the web server has of the log."""
    return remote.files.run_folder(attempt.run_id).joinpath("logs", LOG).read_bytes()


def test_a_run_does_not_wait_for_ever_and_nothing_of_it_is_lost(far, road, settings):
    settings.STUDIO_FINALIZE_SECONDS = 0.5
    outcome.save(far, DONE)

    finish.finish(far, DONE, persist=patience.persist)
    leftovers.clean_up()

    run = Run.objects.get()
    assert (run.status, Artifact.objects.count()) == ("Completed", 0)
    assert run.reason.endswith("the rest of its logs and outputs comes later.")

    road.is_closed = False
    leftovers.clean_up()

    assert delivered(far) == b"the last words"
    assert [artifact.path for artifact in Artifact.objects.all()] == ["outputs/model.bin"]
    assert not host.work_folder(far).exists()
    assert Attempt.objects.get().bytes_due_until is None


def test_who_comes_again_by_itself_waits_as_long(far, settings):
    outcome.save(far, DONE)

    leftovers.clean_up()
    waiting = Run.objects.get().status
    settings.STUDIO_FINALIZE_SECONDS = 0
    leftovers.clean_up()

    assert (waiting, Run.objects.get().status) == ("Finalizing", "Completed")
    assert host.work_folder(far).exists()


def test_an_attempt_that_was_replaced_brings_its_logs_and_none_of_its_files(far, road, settings):
    settings.STUDIO_FINALIZE_SECONDS = 0
    outcome.save(far, DONE)
    finish.finish(far, DONE, persist=patience.once)
    factories.attempt(far.run, number=2)
    Run.objects.update(attempt_number=2)

    road.is_closed = False
    leftovers.clean_up()

    assert delivered(far) == b"the last words"
    assert not Artifact.objects.exists()


def test_late_bytes_are_given_up_after_their_time(far, settings, noon):
    settings.STUDIO_FINALIZE_SECONDS = 0
    outcome.save(far, DONE)
    finish.finish(far, DONE, persist=patience.once)
    Attempt.objects.update(bytes_due_until=noon)

    leftovers.clean_up()

    assert not host.work_folder(far).exists()
    with pytest.raises(storage.Unreachable, match="not signed in"):
        recording.save_artifact(run=far.run, path="outputs/a", chunks=[b"x"], at=noon)
