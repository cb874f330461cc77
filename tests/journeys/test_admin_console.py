"""The admin console in a real browser, under the pages' own content security policy."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from runs.models import Experiment
from runs.status import RunStatus
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.journey, pytest.mark.slow]


@pytest.mark.django_db(transaction=True)
def test_runs_are_searched_and_canceled_and_members_are_added(page_for: Callable[..., Page]) -> None:
    admin = User.objects.create_superuser("ada", password="secret")
    workspace = factories.workspace("default")
    experiment: Experiment = factories.experiment(workspace)
    run = factories.run(experiment, by=admin)
    factories.run(experiment, by=admin, status=RunStatus.COMPLETED)
    page = page_for(admin)

    page.goto("/admin/runs/run/")
    page.locator("#searchbar").fill("status:queued")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**/admin/runs/run/?q=status*")
    page.get_by_role("checkbox").nth(1).check()
    page.get_by_label("Action:").select_option("cancel")
    page.locator("button[name='index']").click()
    expect(page.get_by_text("Canceled, or asked to stop: 1.")).to_be_visible()
    run.refresh_from_db()
    assert run.status == RunStatus.CANCELED

    page.goto(f"/admin/runs/workspace/{workspace.pk}/change/")
    page.locator("#id_memberships-0-user + .select2").click()
    page.locator(".select2-results__option", has_text="ada").click()
    page.locator("#id_memberships-0-role").select_option("reader")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    assert workspace.memberships.get().user == admin
