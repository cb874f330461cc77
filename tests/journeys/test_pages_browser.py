"""The pages in a real browser: they look right to axe, refresh without disturbing, and work without scripts."""

from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import expect

from runs.models import Role, Run, Tag
from runs.search import index
from runs.status import RunStatus
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

DESKTOP = {"width": 1360, "height": 900}
PHONE = {"width": 360, "height": 740}


@pytest.fixture
def busy_workspace(workspace, team_mate, owner, local):
    """A workspace with three experiments, runs in every status, child runs, tags, and a live worker."""
    now = timezone.now()
    factories.worker(at=now, kill_tier="cgroup", has_broker=False)
    factories.compute_target("gpu-compute", slots=4, description="Two cards, for long trainings.")
    diabetes = factories.experiment(workspace, "diabetes-experiment", at=now, description="Ridge, **20 alphas**.")
    factories.experiment(workspace, "a/name ~with slashes and a rather long tail that goes on and on", at=now)
    vision = factories.experiment(workspace, "vision", at=now)
    for number, status in enumerate([*RunStatus, *RunStatus]):
        begun = now - timedelta(hours=30 - number, minutes=7 * number)
        ended = begun + timedelta(seconds=94 * (number + 1))
        is_over = status in (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELED)
        run = factories.run(
            diabetes,
            by=[team_mate, owner][number % 2],
            status=status,
            at=begun,
            compute_target=local,
            started_at=None if status in (RunStatus.QUEUED, RunStatus.NOT_STARTED) else begun,
            ended_at=ended if is_over else None,
            duration_seconds=94.5 * (number + 1) if is_over else None,
        )
        Tag.objects.create(run=run, key="quality", value=["fantastic run", "good", "poor"][number % 3])
        Tag.objects.create(run=run, key="worth another look")
    parent = factories.run(vision, by=team_mate, status=RunStatus.RUNNING, at=now, compute_target=local, started_at=now)
    factories.run(vision, by=team_mate, status=RunStatus.QUEUED, parent=parent, at=now)
    index.refresh(run_ids=Run.objects.values_list("pk", flat=True))
    return workspace


PAGES = {
    "home": "/w/default/",
    "experiments": "/w/default/experiments/",
    "experiment": "/w/default/experiments/diabetes-experiment/",
    "tile": "/w/default/experiments/diabetes-experiment/failed/?q=quality",
    "mistake": "/w/default/experiments/diabetes-experiment/?q=status:failed+AND+(stats:x+OR+good)",
    "pipelines": "/w/default/pipelines/?children=1&order=-duration",
    "compute": "/compute/",
    "tokens": "/tokens/",
    "password": "/password/",
    "missing": "/w/nowhere/",
}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_with_much_on_them_are_accessible(page_for, team_mate, busy_workspace, shoot, theme):
    """Every status, long names, a mistake; test_every_page_browser.py visits all pages there are."""
    page = page_for(team_mate, color_scheme=theme, viewport=DESKTOP, timezone_id="Europe/Rome")
    found = {}

    for name, address in PAGES.items():
        page.goto(address)
        results = Axe().run(page).response["violations"]
        found[name] = [(v["id"], [node["html"][:200] for node in v["nodes"]][:3]) for v in results]
        shoot(page, f"{name}-{theme}-{DESKTOP['width']}")

    assert {name: faults for name, faults in found.items() if faults} == {}


@pytest.mark.parametrize("address", PAGES.values(), ids=PAGES)
def test_no_page_scrolls_sideways_on_the_narrowest_phone(page_for, team_mate, busy_workspace, address):
    page = page_for(team_mate, viewport={"width": 320, "height": 640})

    page.goto(address)

    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_an_empty_workspace_says_what_to_do(page_for, team_mate, workspace, shoot):
    page = page_for(team_mate, viewport={"width": 320, "height": 640})

    page.goto("/w/default/")
    shoot(page, "empty")

    assert page.get_by_role("button", name="Run an example").is_enabled()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_poll_keeps_focus_typed_text_ticks_and_scroll(page_for, team_mate, busy_workspace, experiment, local):
    page = page_for(team_mate, viewport={"width": 1000, "height": 500})
    page.goto("/w/default/experiments/diabetes-experiment/")
    page.locator(".tick").nth(1).check()
    ticked = page.locator(".tick").nth(1).get_attribute("value")
    page.evaluate("document.querySelector('.table-wrap').scrollLeft = 120; scrollTo(0, 150)")
    page.locator("#q").evaluate("node => { node.focus({preventScroll: true}); node.value = 'half a wo' }")
    diabetes = busy_workspace.experiments.get(name="diabetes-experiment")

    factories.run(diabetes, by=team_mate, status=RunStatus.RUNNING, at=timezone.now(), display_name="the new one")
    page.get_by_text("the new one").wait_for()

    assert page.evaluate("document.activeElement.id") == "q"
    assert page.locator("#q").input_value() == "half a wo"
    assert page.locator(f'.tick[value="{ticked}"]').is_checked()
    assert page.evaluate("[document.querySelector('.table-wrap').scrollLeft, scrollY]") == [120, 150]


def test_polls_rest_while_the_page_is_hidden(page_for, team_mate, busy_workspace):
    page = page_for(team_mate)
    page.goto("/w/default/pipelines/")
    asked = []
    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => window.away ?? true, configurable: true})")
    page.on("request", lambda request: request.resource_type == "fetch" and asked.append(request.url))

    page.evaluate("htmx.trigger('#runs', 'every')")
    while_hidden = list(asked)
    with page.expect_request("**/pipelines/*"):
        page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")

    assert while_hidden == []


def test_typing_searches_and_the_address_follows(page_for, team_mate, busy_workspace):
    page = page_for(team_mate)
    page.goto("/w/default/experiments/diabetes-experiment/")

    page.keyboard.press("/")
    page.keyboard.type("status:failed", delay=20)
    page.wait_for_url("**/?q=status%3Afailed")

    expect(page.locator("#run-table tbody tr")).to_have_count(2)
    assert page.evaluate("document.activeElement.id") == "q"


def test_ticked_runs_are_canceled_after_a_question(page_for, team_mate, busy_workspace, shoot):
    page = page_for(team_mate)
    page.goto("/w/default/experiments/diabetes-experiment/?q=status:queued")
    cancel = page.get_by_role("button", name="Cancel", exact=True)
    grey_at_first = cancel.is_disabled()

    page.locator(".tick").first.check()
    cancel.click()
    shoot(page, "confirm")
    page.get_by_role("dialog").get_by_role("button", name="Yes").click()
    page.get_by_text("Asked 1 run to stop.").wait_for()

    assert grey_at_first
    expect(page.locator("#run-table tbody tr")).to_have_count(1)


def test_light_and_dark_are_remembered(page_for, team_mate, workspace, shoot):
    page = page_for(team_mate, color_scheme="light")
    page.goto("/w/default/")

    page.get_by_role("button", name="User menu").click()
    shoot(page, "user-menu")
    page.get_by_role("button", name="Light or dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.goto("/compute/")

    assert page.locator("html").get_attribute("data-theme") == "dark"


def test_on_a_phone_the_navigation_opens_and_closes(page_for, team_mate, busy_workspace, shoot):
    page = page_for(team_mate, viewport=PHONE)
    page.goto("/compute/")
    experiments = page.get_by_role("link", name="Experiments")

    hidden_at_first = experiments.is_hidden()
    page.get_by_role("button", name="Navigation").click()
    shoot(page, "phone-navigation")
    experiments.click()

    page.wait_for_url("**/experiments/")
    assert hidden_at_first


def test_times_are_in_the_readers_zone_and_say_so(page_for, team_mate, busy_workspace):
    page = page_for(team_mate, timezone_id="Asia/Tokyo")

    page.goto("/w/default/experiments/")
    page.goto("/w/default/experiments/")

    assert page.locator("td time").first.inner_text().endswith("JST")


def test_a_lost_session_leads_to_the_sign_in(page_for, team_mate, busy_workspace):
    page = page_for(team_mate)
    page.goto("/w/default/pipelines/")

    page.context.clear_cookies()
    page.evaluate("htmx.trigger('#runs', 'every')")

    page.wait_for_url("**/sign-in/**")
    assert page.url.endswith("/sign-in/?next=/w/default/pipelines/")


def test_everything_but_live_refresh_works_without_scripts(page_for, team_mate, busy_workspace, shoot):
    page = page_for(team_mate, java_script_enabled=False, viewport=DESKTOP)
    page.goto("/w/default/")

    page.get_by_role("link", name="Experiments", exact=True).click()
    page.get_by_role("link", name="diabetes-experiment", exact=True).click()
    page.locator("#q").fill("status:queued")
    page.get_by_role("button", name="Search").click()
    page.locator(".tick").first.check()
    shoot(page, "no-script")
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_text("Asked 1 run to stop.").wait_for()
    page.get_by_role("link", name="Created time").click()
    page.get_by_role("button", name="User menu").click()
    page.get_by_role("button", name="Light or dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="User menu").click()
    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_what_people_write_never_runs(page_for, team_mate, workspace, local):
    canary = "<img src=x onerror=\"document.title='owned'\"><b hx-get='/x' hx-trigger='load'>{{7*7}}"
    experiment = factories.experiment(workspace, canary[:80], description=f"{canary} [x](javascript:alert(1))")
    run = factories.run(experiment, by=team_mate, status=RunStatus.RUNNING, display_name=canary, compute_target=local)
    Tag.objects.create(run=run, key=canary, value=canary)
    page = page_for(team_mate)
    titles = []

    for address in ("/w/default/", "/w/default/experiments/", "/w/default/pipelines/", experiment.get_absolute_url()):
        page.goto(address)
        titles.append(page.title())

    assert "owned" not in titles
    assert page.locator("main img, main b[hx-get], main a[href^=javascript]").count() == 0


def test_a_reader_may_look_only(page_for, reader, busy_workspace):
    page = page_for(reader)

    page.goto("/w/default/experiments/diabetes-experiment/")

    assert page.get_by_role("button", name="Cancel", exact=True).is_disabled()
    assert page.locator(".tick").count() == 0


def test_a_member_signs_in_with_the_password(page_for, workspace, shoot):
    olga = factories.user("olga")
    factories.member(workspace, olga, Role.OWNER)
    page = page_for(None)

    page.goto("/compute/")
    page.get_by_label("User name").fill("olga")
    page.get_by_label("Password").fill("secret")
    page.get_by_role("button", name="Sign in").click()

    page.wait_for_url("**/compute/")
    expect(page.get_by_role("heading", name="Compute")).to_be_visible()


@pytest.mark.parametrize("address", ["/api/v1/docs", "/admin/", "/admin/runs/run/"])
def test_the_pages_of_others_keep_the_policy_as_well(page_for, admin, workspace, address):
    page = page_for(admin)

    answer = page.goto(address)

    assert answer.status == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]
