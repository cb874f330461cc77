"""Migrations may think between two statements; everybody else who is silent inside a transaction loses its locks."""

import time

import pytest
from django.core.management import call_command
from django.core.management.commands import migrate
from django.db import InternalError, connection, transaction

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def impatient():
    """A connection that is cut off after a moment of silence inside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET idle_in_transaction_session_timeout = 50")
    yield
    connection.close()


def pause():
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        time.sleep(0.3)


def test_who_is_silent_inside_a_transaction_is_cut_off(impatient):
    with pytest.raises(InternalError, match="idle-in-transaction"):
        pause()


def test_a_migration_is_not(impatient, monkeypatch):
    monkeypatch.setattr(migrate.Command, "handle", lambda *_, **__: pause())

    call_command("migrate")


def test_every_connection_has_the_limit():
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")

        assert cursor.fetchone() == ("15s",)
