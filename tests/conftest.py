"""The cast of the tests, and what is left out where a part is missing."""

import functools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import hypothesis
import pytest
from django.contrib.auth.models import User
from django.core.servers.basehttp import ServerHandler
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test import Client, TransactionTestCase
from django.urls import get_resolver
from uv import find_uv_bin

from runs.execution import cgroup
from runs.models import ComputeTarget, Experiment, Role, Workspace
from tests import factories

# How long one example takes says something of the machine only.
hypothesis.settings.register_profile("studio", deadline=None)
hypothesis.settings.load_profile("studio")


def pytest_configure() -> None:
    """Take Ctrl-C as usual: a shell's background job ignores it, and so would every program that a test starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of the other database, and those whose parts this machine does not have.

    Left out is not skipped: it is no part of this run, and the closing line counts it. In
    CI (STUDIO_TESTS_LEAVE_NOTHING_OUT) a missing part is an error, but for a control group,
    which nobody can install.
    """
    unfit = {"sqlite" if os.environ.get("DATABASE_URL", "").startswith("postgres") else "postgres"}
    if os.geteuid() != 0:
        unfit.add("root")
    parts = {
        "browser": shutil.which("chromium"),
        "nginx": shutil.which("nginx"),
        "pythons": _has_python("3.9") and _has_python("3.13"),
        "namespaces": _may_make_namespaces(),
    }
    missing = {marker for marker, found in parts.items() if not found}
    if missing and os.environ.get("STUDIO_TESTS_LEAVE_NOTHING_OUT"):
        raise pytest.UsageError(f"Nothing may be left out, but there are no parts for {', '.join(sorted(missing))}.")
    unfit |= missing
    if not _has_cgroup():
        unfit.add("cgroup")
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in unfit)]
    config.hook.pytest_deselected(items=left_out)
    gone = set(left_out)
    # The journeys take longest, so they begin first, each file of them in a process of its own.
    items[:] = sorted((item for item in items if item not in gone), key=lambda item: not _is_journey(item))


def _has_cgroup() -> bool:
    try:
        cgroup.Group().remove()
    except OSError:
        return False
    return True


def _has_python(version: str) -> bool:
    # By running it: a version manager's shim is on the path whether its version is chosen or not.
    find = [find_uv_bin(), "python", "find", "--no-python-downloads", f"python{version}"]
    return subprocess.run(find, capture_output=True, check=False).returncode == 0


def _may_make_namespaces() -> bool:
    # By making one: root alone may, and in many containers not even root.
    name = f"studio-try-{os.getpid()}"
    if not shutil.which("ip") or subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode:
        return False
    return subprocess.run(["ip", "netns", "delete", name], capture_output=True).returncode == 0


def _is_journey(item: pytest.Item) -> bool:
    return item.get_closest_marker("journey") is not None


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let no test be skipped in CI."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and reporter.stats.get("skipped") and os.environ.get("STUDIO_TESTS_LEAVE_NOTHING_OUT"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The tests' database. PostgreSQL drops none that is in use, and a killed process stays connected for a moment."""
    if connection.vendor == "postgresql":
        # All addresses are loaded for the first of them: inside a test's transaction that would take longer than
        # PostgreSQL lets it be silent (`idle_in_transaction_session_timeout`), where many processes share few cores.
        _ = get_resolver().url_patterns
    yield
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture(scope="session", autouse=True)
def quick_emptying() -> Iterator[None]:
    """After a test with transactions of its own, tables are emptied by DELETE.

    Django's TRUNCATE, and the rows of its own that it makes anew after it, take PostgreSQL a
    fifth of a second, which hundreds of tests would wait for.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: _empty_tables())
        yield


def _empty_tables() -> None:
    for attempt in range(10):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                for name in _tables():
                    cursor.execute(f"DELETE FROM {name}")
            return
        # A process of the test, a worker say, wrote one row more meanwhile, or each waited for a row of the other.
        except (IntegrityError, OperationalError):
            if attempt == 9:
                raise


@pytest.fixture(scope="session")
def in_hand() -> Iterator[list[Any]]:
    """What the live server's threads are answering."""
    handlers: list[Any] = []
    run = ServerHandler.run

    def run_counted(handler: Any, application: Any) -> None:
        handlers.append(handler)
        try:
            run(handler, application)
        finally:
            handlers.remove(handler)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ServerHandler, "run", run_counted)
        yield handlers


@pytest.fixture(autouse=True)
def last_answers(request: pytest.FixtureRequest, in_hand: list[Any]) -> Iterator[None]:
    """A test ends after the live server's last answer.

    The client has all of it a moment before the server's thread lets go of the database. Were that
    closed to the thread meanwhile, it would print "TypeError: 'NoneType' object is not subscriptable".
    """
    if "transactional_db" in request.fixturenames:
        request.getfixturevalue("transactional_db")  # closed after this one, then
    yield
    deadline = time.monotonic() + 30
    while in_hand and time.monotonic() < deadline:
        time.sleep(0.01)


@functools.cache
def _tables() -> list[str]:
    # But those that migrations fill.
    names = set(connection.introspection.django_table_names(only_existing=True, include_views=False))
    return sorted(names - {"django_content_type", "auth_permission"})


@pytest.fixture
def unanalyzed(db: None) -> None:
    """SQLite's planner without statistics, as in a new database: those of a handful of rows mislead it."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
            cursor.execute("DELETE FROM sqlite_stat1")
            cursor.execute("ANALYZE sqlite_schema")


@pytest.fixture
def noon() -> datetime:
    """The instant at which most tests play."""
    return factories.NOON


@pytest.fixture
def workspace(db: None) -> Workspace:
    """The workspace `default`."""
    return factories.workspace("default")


@pytest.fixture
def owner(workspace: Workspace) -> User:
    """Somebody who owns the workspace."""
    owner = factories.user("olivia")
    factories.member(workspace, owner, Role.OWNER)
    return owner


@pytest.fixture
def team_mate(workspace: Workspace) -> User:
    """A contributor of the workspace."""
    team_mate = factories.user("tom")
    factories.member(workspace, team_mate, Role.CONTRIBUTOR)
    return team_mate


@pytest.fixture
def reader(workspace: Workspace) -> User:
    """Somebody who may look at the workspace only."""
    reader = factories.user("rita")
    factories.member(workspace, reader, Role.READER)
    return reader


@pytest.fixture
def stranger(db: None) -> User:
    """A member of another workspace."""
    stranger = factories.user("stan")
    factories.member(factories.workspace("elsewhere"), stranger, Role.OWNER)
    return stranger


@pytest.fixture
def admin(db: None) -> User:
    """A superuser."""
    return User.objects.create_superuser("ada", password="secret")


@pytest.fixture
def local(db: None) -> ComputeTarget:
    """The compute target `local` with two slots."""
    return factories.compute_target("local")


@pytest.fixture
def experiment(workspace: Workspace) -> Experiment:
    """The experiment `explore-runs`."""
    return factories.experiment(workspace, "explore-runs")


@pytest.fixture
def client_for() -> Callable[[User], Client]:
    """A browser in which the given user is signed in."""

    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def is_sqlite() -> bool:
    """Whether the tests run on SQLite."""
    return connection.vendor == "sqlite"
