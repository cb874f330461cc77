"""The admin console: every model is there, records cannot be edited, actions do what the pages do."""

from collections.abc import Callable
from datetime import timedelta
from io import BytesIO

import pytest
from django.apps import apps
from django.contrib import admin as console
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from runs.actions import snapshots, tokens
from runs.models import ApiToken, ComputeTarget, Experiment, Membership, Run, Workspace
from runs.status import RunStatus
from tests import factories

MODELS = list(apps.get_app_config("runs").get_models())
# What an administrator decides; all else is a record.
EDITABLE = {"workspace", "membership", "computetarget"}


@pytest.fixture
def page_client(admin: User, client_for: Callable[[User], Client]) -> Client:
    """A page_client in which the administrator is signed in."""
    return client_for(admin)


def _list(model: type, **query: str) -> str:
    return reverse(f"admin:runs_{model._meta.model_name}_changelist", query=query or None)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_every_model_has_a_list_that_opens_and_can_be_searched(page_client: Client, model: type) -> None:
    assert page_client.get(_list(model)).status_code == 200
    assert page_client.get(_list(model, q="anything")).status_code == 200


@pytest.mark.parametrize(
    "model", [m for m in MODELS if m._meta.model_name not in EDITABLE], ids=lambda model: model._meta.model_name
)
def test_records_can_be_neither_added_nor_changed_nor_deleted(admin: User, rf, model: type) -> None:
    request = rf.get("/")
    request.user = admin
    shown = console.site.get_model_admin(model)

    allowed = (
        shown.has_add_permission(request),
        shown.has_change_permission(request),
        shown.has_delete_permission(request),
    )

    assert allowed == (False, False, False)


@pytest.mark.parametrize("row_count", [3, 30])
def test_the_list_of_runs_asks_the_same_queries_for_any_number_of_rows(
    page_client: Client, experiment: Experiment, owner: User, row_count: int
) -> None:
    [factories.run(experiment, by=owner) for _ in range(row_count)]
    page_client.get(_list(Run))

    with CaptureQueriesContext(connection) as queries:
        page_client.get(_list(Run))

    assert len(queries) == 8


def test_the_list_of_runs_counts_no_more_rows_than_can_be_paged_through(
    page_client: Client, experiment: Experiment
) -> None:
    with CaptureQueriesContext(connection) as queries:
        page_client.get(_list(Run))

    counting = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
    assert counting
    assert all("LIMIT 1000" in sql for sql in counting)


def test_a_run_is_found_by_its_id(page_client: Client, experiment: Experiment, owner: User) -> None:
    run, other = factories.run(experiment, by=owner), factories.run(experiment, by=owner)

    page = page_client.get(_list(Run, q=run.run_id)).content.decode()

    assert run.run_id in page
    assert other.run_id not in page


def test_runs_are_found_by_the_language_of_the_search_bar(
    page_client: Client, experiment: Experiment, owner: User
) -> None:
    failed = factories.run(experiment, by=owner, status=RunStatus.FAILED)
    queued = factories.run(experiment, by=owner)

    page = page_client.get(_list(Run, q="status:failed")).content.decode()

    assert failed.run_id in page
    assert queued.run_id not in page


def test_a_mistake_in_a_search_is_shown(page_client: Client, experiment: Experiment, owner: User) -> None:
    run = factories.run(experiment, by=owner)

    page = page_client.get(_list(Run, q="status:(")).content.decode()

    assert 'class="error"' in page
    assert run.run_id not in page


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.RUNNING])
def test_runs_are_filtered_by_status(
    page_client: Client, experiment: Experiment, owner: User, status: RunStatus
) -> None:
    wanted = factories.run(experiment, by=owner, status=status)
    other = factories.run(experiment, by=owner, status=RunStatus.COMPLETED)

    page = page_client.get(_list(Run, status=status)).content.decode()

    assert wanted.run_id in page
    assert other.run_id not in page


def test_a_run_s_page_shows_no_values_of_its_environment(
    page_client: Client, experiment: Experiment, owner: User
) -> None:
    run = factories.run(experiment, by=owner, environment_variables={"PASSWORD": "hunter2"})

    page = page_client.get(reverse("admin:runs_run_change", args=[run.pk])).content.decode()

    assert "PASSWORD" in page
    assert "hunter2" not in page


def _act(page_client: Client, model: type, action: str, *rows: object) -> str:
    chosen = {"action": action, "_selected_action": [row.pk for row in rows]}
    return page_client.post(_list(model), chosen, follow=True).content.decode()


def test_cancel_stops_runs_as_the_page_does_and_skips_ended_ones(
    page_client: Client, experiment: Experiment, owner: User, admin: User
) -> None:
    queued = factories.run(experiment, by=owner)
    ended = factories.run(experiment, by=owner, status=RunStatus.COMPLETED)

    page = _act(page_client, Run, "cancel", queued, ended)

    queued.refresh_from_db()
    ended.refresh_from_db()
    assert (queued.status, queued.cancel_requested_by) == (RunStatus.CANCELED, admin)
    assert ended.status == RunStatus.COMPLETED
    assert ended.run_id in page


def test_archive_hides_ended_runs(page_client: Client, experiment: Experiment, owner: User) -> None:
    run = factories.run(experiment, by=owner, status=RunStatus.COMPLETED)

    _act(page_client, Run, "archive", run)

    run.refresh_from_db()
    assert run.archived_at is not None


def test_requeue_makes_a_new_run_of_an_ended_one_and_leaves_active_ones_alone(
    page_client: Client, experiment: Experiment, owner: User, local: ComputeTarget
) -> None:
    snapshot = snapshots.store_files(
        workspace=experiment.workspace, files=[("train.py", BytesIO(b"print(1)"))], at=factories.NOON
    )
    failed = factories.run(experiment, by=owner, status=RunStatus.FAILED, compute_target=local, snapshot=snapshot)
    running = factories.run(experiment, by=owner, status=RunStatus.RUNNING, compute_target=local)

    _act(page_client, Run, "requeue", failed, running)

    [made] = Run.objects.exclude(pk__in=[failed.pk, running.pk])
    assert (made.resubmitted_from, made.status) == (failed, RunStatus.QUEUED)
    failed.refresh_from_db()
    assert failed.status == RunStatus.FAILED


def test_experiments_are_archived_and_restored(page_client: Client, experiment: Experiment) -> None:
    _act(page_client, Experiment, "archive", experiment)
    experiment.refresh_from_db()
    assert experiment.archived_at is not None

    _act(page_client, Experiment, "restore", experiment)
    experiment.refresh_from_db()
    assert experiment.archived_at is None


def test_tokens_are_revoked_and_never_shown(page_client: Client, owner: User) -> None:
    token, secret = tokens.create_token(user=owner, name="laptop", at=timezone.now() - timedelta(hours=1))

    page = _act(page_client, ApiToken, "revoke", token)
    page += page_client.get(reverse("admin:runs_apitoken_change", args=[token.pk])).content.decode()

    token.refresh_from_db()
    assert token.revoked_at is not None
    assert secret not in page
    assert token.digest not in page


def test_a_workspace_is_made_with_its_members(page_client: Client, owner: User) -> None:
    page_client.post(
        reverse("admin:runs_workspace_add"),
        {
            "name": "research",
            "description": "",
            "memberships-TOTAL_FORMS": "1",
            "memberships-INITIAL_FORMS": "0",
            "memberships-0-user": owner.pk,
            "memberships-0-role": "owner",
        },
    )

    assert Membership.objects.get(workspace__name="research").user == owner


def test_a_workspace_whose_name_fits_no_address_is_refused(page_client: Client) -> None:
    page = page_client.post(
        reverse("admin:runs_workspace_add"),
        {"name": "a/b", "memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"},
    )

    assert "Expected letters, digits, dots, dashes and underscores" in page.content.decode()
    assert not Workspace.objects.filter(name="a/b").exists()


def test_a_compute_target_is_made_and_its_slots_are_changed(page_client: Client) -> None:
    page_client.post(reverse("admin:runs_computetarget_add"), {"name": "gpu", "slots": 1, "is_enabled": "on"})
    target = ComputeTarget.objects.get(name="gpu")
    page_client.post(reverse("admin:runs_computetarget_change", args=[target.pk]), {"name": "other", "slots": 4})

    target.refresh_from_db()
    assert (target.name, target.slots, target.is_enabled) == ("gpu", 4, False)


def test_people_sign_in_at_the_one_sign_in_page(client: Client, workspace: Workspace) -> None:
    answer = client.get(_list(Run), follow=True)

    assert answer.redirect_chain[-1][0].startswith(reverse("sign_in"))


def test_who_is_no_staff_is_refused(client_for: Callable[[User], Client], owner: User) -> None:
    answer = client_for(owner).get(_list(Run), follow=True)

    assert answer.status_code == 403


def test_users_are_not_deleted(page_client: Client, owner: User) -> None:
    assert page_client.post(reverse("admin:auth_user_delete", args=[owner.pk]), {"post": "yes"}).status_code == 403
