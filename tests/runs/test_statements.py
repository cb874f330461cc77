"""Hot statements: planned once on PostgreSQL, sent together where none waits for another, and shown in logs."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from runs import rows, statements
from runs.models import Param
from runs.status import RunStatus
from studio.postgresql import base
from tests import factories

COLUMNS = ("run_id", "experiment_id", "name", "value", "number")


@pytest.fixture
def run(experiment, owner):
    return factories.run(experiment, by=owner, status=RunStatus.RUNNING)


def test_rows_are_returned_and_changes_are_made(run):
    statements.tell("UPDATE runs_run SET display_name = %s WHERE id = %s", ["new", run.pk])

    assert statements.ask("SELECT display_name FROM runs_run WHERE id = %s", [run.pk]) == [("new",)]


def test_what_is_told_together_is_done(run):
    with transaction.atomic(), statements.together():
        for name in ("a", "b"):
            rows.insert(Param, COLUMNS, [(run.pk, run.experiment_id, name, "1", None)])

    assert list(Param.objects.order_by("name").values_list("name", flat=True)) == ["a", "b"]


def test_what_is_told_together_fails_together(run):
    one, another = ([(run.pk, run.experiment_id, name, "1", None)] for name in ("a", "b"))

    def tell():
        with transaction.atomic(), statements.together():
            rows.insert(Param, COLUMNS, another)
            rows.insert(Param, COLUMNS, one * 2)

    with pytest.raises(IntegrityError):
        tell()
    assert not Param.objects.exists()


def test_logs_of_queries_show_them(run):
    with CaptureQueriesContext(connection) as queries:
        statements.ask("SELECT id FROM runs_run WHERE id = %s", [run.pk])

    assert "SELECT id FROM runs_run" in queries[0]["sql"]


@pytest.mark.postgres
def test_what_comes_again_is_planned_once(run):
    for _ in range(7):
        statements.ask("SELECT number FROM runs_run WHERE id = %s", [run.pk])

    planned = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE %s"
    assert statements.ask(planned, ["SELECT number FROM runs_run%"]) == [(1,)]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_server_closed_is_replaced_before_the_next_request():
    connection.ensure_connection()
    assert connection.is_usable()
    pid = statements.ask("SELECT pg_backend_pid()", [])[0][0]
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    other.close()

    connection.close_if_unusable_or_obsolete()  # as each request does

    assert statements.ask("SELECT pg_backend_pid()", [])[0][0] != pid


@pytest.mark.postgres
def test_a_connection_that_was_used_just_now_is_not_asked(monkeypatch, run):
    monkeypatch.setattr(base, "_FRESH_SECONDS", 60)  # however slow this machine is
    connection.ensure_connection()
    assert connection.is_usable()
    with monkeypatch.context() as patched:
        patched.setattr(connection.connection, "cursor", lambda *_, **__: pytest.fail("It was asked."))

        assert connection.is_usable()
