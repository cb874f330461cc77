"""Only the store over HTTP can fail like this: a server that is away, a way that breaks, an attempt that is over."""

import time

import pytest
from django.utils import timezone

from runs import storage
from runs.actions import tokens
from runs.models import Attempt
from runs.storage import remote
from tests.api.conftest import Api
from tests.runs.storage.test_stores import LOG, arrived, content

pytestmark = pytest.mark.slow


@pytest.fixture
def run_pk(attempt, http_store, road, settings, tmp_path):
    """The run of an attempt whose worker goes by the road."""
    settings.STUDIO_URL = road.url
    storage.sign_out(attempt.run_id)
    secret = tokens.create_worker_token(run=attempt.run, attempt_number=1, at=timezone.now())[1]
    storage.sign_in(attempt.run_id, outbox=tmp_path / "outbox", make_secret=lambda: secret)
    return attempt.run_id


@pytest.mark.parametrize("after", [0, 300, 600_000])
def test_a_log_whose_way_breaks_is_neither_lost_nor_doubled(run_pk, road, after):
    road.breaks_after = [after] * 3
    data = b"".join(b"%d\n" % number for number in range(200_000))

    storage.append_log(run_pk, LOG, data, offset=0)

    wait_until(lambda: storage.logs.log_size(run_pk, LOG) == len(data))
    assert arrived(run_pk) == data


@pytest.mark.parametrize("after", [5000, 4_500_000])
def test_a_file_whose_way_breaks_arrives_whole(run_pk, road, after):
    road.breaks_after = [after] * 2
    data = b"".join(b"%d\n" % number for number in range(1_200_000))

    storage.save_artifact(run_pk, "outputs/a", [data])

    assert content(run_pk, "outputs/a") == data


@pytest.mark.parametrize("after", [100, 1_000_000])
def test_code_whose_way_breaks_is_read_whole(run_pk, road, after):
    data = b"".join(b"%d\n" % number for number in range(400_000))
    storage.save_snapshot("5" * 64, [data])
    road.breaks_after = [after] * 2

    with storage.open_snapshot("5" * 64) as handle:
        assert handle.read() == data


def test_a_server_that_is_away_keeps_no_script_waiting_and_gets_all_of_it_later(run_pk, road):
    road.is_closed = True

    started = time.monotonic()
    for position in range(100):
        storage.append_log(run_pk, LOG, b"x" * 1000, offset=1000 * position)

    assert time.monotonic() - started < 10  # who waits for the server waits for as long each time
    with pytest.raises(storage.Unreachable):
        storage.flush(run_pk)
    road.is_closed = False
    assert arrived(run_pk) == b"x" * 100_000


def test_a_server_that_is_away_refuses_no_file_for_good(run_pk, road, monkeypatch):
    monkeypatch.setattr(remote, "_PATIENCE_SECONDS", 0.3)
    road.is_closed = True

    with pytest.raises(storage.Unreachable, match="does not answer"):
        storage.save_artifact(run_pk, "outputs/a", [b"x"])
    with pytest.raises(storage.Unreachable):
        storage.open_snapshot("5" * 64)


def test_what_one_process_left_in_the_outbox_another_one_sends(run_pk, road, tmp_path, attempt):
    road.is_closed = True
    storage.append_log(run_pk, LOG, b"the last words", offset=0)
    storage.sign_out(run_pk)
    road.is_closed = False

    secret = tokens.create_worker_token(run=attempt.run, attempt_number=1, at=timezone.now())[1]
    storage.sign_in(run_pk, outbox=tmp_path / "outbox", make_secret=lambda: secret)

    assert arrived(run_pk) == b"the last words"


def test_nothing_is_taken_from_an_attempt_that_has_ended(run_pk):
    storage.append_log(run_pk, LOG, b"in time", offset=0)
    storage.flush(run_pk)
    Attempt.objects.update(ended_at=timezone.now())

    storage.append_log(run_pk, LOG, b" too late", offset=7)

    assert arrived(run_pk) == b"in time"
    with pytest.raises(storage.AttemptOver):
        storage.save_artifact(run_pk, "outputs/a", [b"x"])


def test_a_log_of_another_attempt_is_not_written(run_pk, attempt):
    secret = tokens.create_worker_token(run=attempt.run, attempt_number=1, at=timezone.now())[1]

    answers = [
        Api(secret).client.generic("POST", f"/api/v1/worker/logs/{name}?offset=0", b"x", headers=bearer(secret))
        for name in ("retry_001/user_logs/std_log.txt", "elsewhere/log.txt", "user_logs/std_log.txt")
    ]

    assert [answer.status_code for answer in answers] == [422, 422, 200]


def test_no_other_token_opens_the_workers_doors_and_theirs_opens_no_other(run_pk, attempt):
    user = attempt.run.submitted_by
    worker = tokens.create_worker_token(run=attempt.run, attempt_number=1, at=timezone.now())[1]
    others = [
        tokens.create_token(user=user, name="", at=timezone.now())[1],
        tokens.create_run_token(run=attempt.run, attempt_number=1, at=timezone.now())[1],
    ]

    refused = [Api(secret).get("/worker/snapshot").status_code for secret in others]
    also = [Api(worker).get(path).status_code for path in ("/me", "/runs", f"/runs/{attempt.run.run_id}")]

    assert refused == [401, 401]
    assert also == [401, 401, 401]


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def wait_until(is_so):
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
