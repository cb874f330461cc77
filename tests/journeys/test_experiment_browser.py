"""An experiment's page in a browser: charts, panel, tree, stars and bulk, with and without scripts."""

from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import expect

from runs.actions import recording
from runs.models import Param, Run, SearchKey, Tag
from runs.search import index
from runs.status import RunStatus
from tests import factories
from tests.journeys.conftest import SLOW_LINE

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

DESKTOP = {"width": 1360, "height": 900}
PHONE = {"width": 360, "height": 740}
ADDRESS = "/w/default/experiments/diabetes-experiment/"
CHARTS = "chart=line.step.loss&chart=scatter.number.auc&chart=bar.number.loss.min,loss"

# A poll's answer takes longer than any other.
SLOW_POLLS = """
const ask = window.fetch;
window.fetch = async (address, options) => {
  const answer = await ask(address, options);
  await new Promise((done) => setTimeout(done, new URL(address, location).searchParams.has("v") ? 1500 : 0));
  return answer;
};
"""


@pytest.fixture
def diabetes(workspace, team_mate, owner, local):
    """An experiment of eight runs with losses, params and tags, one of them with child runs."""
    now = timezone.now()
    experiment = factories.experiment(workspace, "diabetes-experiment", at=now, description="Ridge, **20 alphas**.")
    for number, status in enumerate(
        [RunStatus.COMPLETED] * 5 + [RunStatus.FAILED, RunStatus.QUEUED, RunStatus.RUNNING]
    ):
        begun = now - timedelta(hours=9 - number)
        is_over = status in (RunStatus.COMPLETED, RunStatus.FAILED)
        run = factories.run(
            experiment,
            by=[team_mate, owner][number % 2],
            status=status,
            at=begun,
            compute_target=local,
            started_at=None if status == RunStatus.QUEUED else begun,
            ended_at=begun + timedelta(seconds=94) if is_over else None,
            duration_seconds=94.5 if is_over else None,
        )
        points = [recording.Point("loss", value=(2 + number / 3) * 0.9**step) for step in range(30)]
        recording.log_metrics(run=run, points=[*points, recording.Point("auc", value=0.7 + number / 40)], at=begun)
        Param.objects.create(run=run, name="alpha", value=str(number / 10), number=number / 10)
        Tag.objects.create(run=run, key="quality", value=["fantastic run", "good"][number % 2])
    for number in range(24):
        status = [RunStatus.COMPLETED, RunStatus.FAILED][number % 8 == 0]
        factories.run(experiment, by=team_mate, status=status, parent=run, at=now, display_name=f"alpha {number}")
    SearchKey.objects.bulk_create(SearchKey(workspace=workspace, kind="params", key=key) for key in ("alpha", "beta"))
    index.refresh(run_ids=experiment.runs.values_list("pk", flat=True))
    return experiment


def faults(page):
    found = Axe().run(page).response["violations"]
    return [(fault["id"], [node["html"][:200] for node in fault["nodes"]][:3]) for fault in found]


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_and_its_panels_are_accessible(page_for, team_mate, diabetes, shoot, theme, viewport):
    page = page_for(team_mate, color_scheme=theme, viewport=viewport)
    parent = diabetes.runs.get(number=8)
    found = {}

    page.goto(f"{ADDRESS}?{CHARTS}&q=-status:canceled+has:params.alpha&differ=1&columns=metrics.loss.min,status,tags")
    page.locator(".uplot canvas").first.wait_for()
    shoot(page, f"experiment-charts-{theme}-{viewport['width']}")
    found["charts"] = faults(page)
    page.goto(f"{ADDRESS}?open={parent.run_id}")
    shoot(page, f"experiment-tree-{theme}-{viewport['width']}")
    found["tree"] = faults(page)
    page.locator("#edit-table").click()
    page.locator("#panel #chosen").wait_for()
    shoot(page, f"experiment-columns-{theme}-{viewport['width']}")
    found["columns"] = faults(page)
    page.goto(f"{ADDRESS}edit-chart/?{CHARTS}&place=2")
    shoot(page, f"experiment-chart-{theme}-{viewport['width']}")
    found["chart"] = faults(page)

    assert {name: these for name, these in found.items() if these} == {}
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_a_day_with_the_table(page_for, team_mate, diabetes, shoot):
    page = page_for(team_mate, viewport=DESKTOP)
    page.goto(ADDRESS)

    page.locator("#edit-table").click()
    page.get_by_role("link", name="Add alpha").click()
    page.get_by_role("link", name="Remove Run type").click()
    page.get_by_role("link", name="Add Run type").wait_for()
    moved = page.locator("#chosen > li", has_text="alpha")
    moved.drag_to(page.locator("#chosen > li", has_text="Created time"))
    page.locator("#chosen > li:nth-child(2)", has_text="alpha").wait_for()
    page.locator("#panel").get_by_role("link", name="Save").click()
    page.wait_for_url("**columns=number%2Cparams.alpha%2Ccreated*")

    page.get_by_role("link", name="alpha").click()
    page.wait_for_url("**order=-params.alpha*")
    page.locator("#add-chart").click()
    page.get_by_label("loss", exact=True).check()
    page.locator("#panel").get_by_role("button", name="Save").click()
    page.wait_for_url("**chart=line.step.loss*")
    curves = page.locator("#chart-2 .uplot")
    curves.wait_for()

    page.get_by_role("button", name="Favorite: Run 8").click()
    page.locator(".star[aria-pressed=true]").wait_for()
    page.get_by_role("link", name="Child runs of Run 8").click()
    page.get_by_role("link", name="Show more").click()
    page.get_by_text("alpha 23").wait_for()
    kept = curves.is_visible()

    page.locator("#views > summary").click()
    page.get_by_label("Save this view as").fill("By alpha")
    page.get_by_role("button", name="Save view").click()
    page.get_by_text("Saved the view By alpha.").wait_for()
    shoot(page, "experiment-view")

    assert kept
    assert page.locator("#views > summary").inner_text() == "By alpha"


def test_a_click_before_the_answer_to_the_last_one_loses_nothing(page_for, team_mate, diabetes):
    page = page_for(team_mate, viewport=DESKTOP)
    page.add_init_script(SLOW_LINE)
    page.goto(ADDRESS)
    page.locator("#edit-table").click()

    page.get_by_role("link", name="Add alpha").click()
    page.get_by_role("link", name="Remove Run type").click()
    page.get_by_role("link", name="Add Run type").wait_for()

    assert page.locator("#chosen > li", has_text="alpha").count() == 1


def test_a_key_before_the_answer_to_the_last_one_loses_nothing(page_for, team_mate, diabetes):
    page = page_for(team_mate, viewport=DESKTOP)
    page.add_init_script(SLOW_LINE)
    page.goto(ADDRESS)
    page.locator("#edit-table").click()
    added, saved = page.get_by_role("link", name="Add alpha"), page.locator("#panel").get_by_role("link", name="Save")

    added.press("Enter")
    saved.press("Enter")
    page.locator("#chosen > li", has_text="alpha").wait_for()
    saved.press("Enter")

    page.wait_for_url("**columns=*")
    assert "params.alpha" in page.url


def test_a_double_click_opens_a_panel_once(page_for, team_mate, diabetes):
    page = page_for(team_mate, viewport=DESKTOP)
    page.add_init_script(SLOW_LINE)
    page.goto(ADDRESS)

    page.locator("#edit-table").dblclick(delay=100)
    page.get_by_label("Search columns").wait_for()
    page.keyboard.press("Escape")
    page.wait_for_timeout(1000)

    expect(page.locator("#panel")).to_be_hidden()
    expect(page.locator("#edit-table")).to_be_focused()


def test_stars_that_are_given_before_the_answers_all_count(page_for, team_mate, diabetes):
    page = page_for(team_mate, viewport=DESKTOP)
    page.add_init_script(SLOW_LINE)
    page.goto(ADDRESS)

    for number in range(5, 9):
        page.get_by_role("button", name=f"Favorite: Run {number}").click()

    expect(page.locator(".star[aria-pressed=true]")).to_have_count(4)


def test_saving_before_the_answer_to_a_drag_keeps_the_order(page_for, team_mate, diabetes):
    page = page_for(team_mate, viewport=DESKTOP)
    page.add_init_script(SLOW_LINE)
    page.goto(ADDRESS)
    page.locator("#edit-table").click()

    page.locator("#chosen > li", has_text="Status").drag_to(page.locator("#chosen > li", has_text="Created time"))
    page.locator("#panel").get_by_role("link", name="Save").click()

    page.wait_for_url("**columns=*")
    assert "columns=number%2Cstatus%2C" in page.url


def test_an_answer_to_a_poll_closes_nothing_that_was_opened_meanwhile(page_for, team_mate, diabetes):
    page = page_for(team_mate, viewport=DESKTOP)
    page.add_init_script(SLOW_POLLS)
    page.goto(ADDRESS)
    factories.run(diabetes, by=team_mate, at=timezone.now())
    children = page.locator("#run-table tr.is-child")

    with page.expect_response("**v=*"):
        page.evaluate("htmx.trigger('#runs', 'every')")
    page.get_by_role("link", name="Child runs of Run 8").click()
    children.first.wait_for()
    page.wait_for_timeout(1700)

    assert children.count() > 0


def test_a_search_wins_over_a_tree_that_was_asked_for_before(page_for, team_mate, diabetes):
    page = page_for(team_mate, viewport=DESKTOP)
    page.add_init_script(SLOW_POLLS.replace('"v"', '"open"'))
    page.goto(ADDRESS)

    with page.expect_request("**open=*"):
        page.get_by_role("link", name="Child runs of Run 8").click()
    page.locator("#q").fill("status:failed")
    expect(page.locator("#run-table tbody tr")).to_have_count(1)
    page.wait_for_timeout(1700)

    expect(page.locator("#run-table tbody tr")).to_have_count(1)
    assert "open=" not in page.url


def test_all_that_match_are_canceled_after_a_question(page_for, team_mate, diabetes):
    page = page_for(team_mate, viewport=DESKTOP)
    page.goto(f"{ADDRESS}?q=status:queued")

    page.get_by_label("All that match").check()
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("dialog").get_by_label("Reason (optional)").fill("Wrong data.")
    page.get_by_role("dialog").get_by_role("button", name="Yes").click()

    page.get_by_text("Asked 1 run to stop.").wait_for()
    assert Run.objects.filter(reason="Wrong data.").count() == 1


def test_everything_works_without_scripts(page_for, team_mate, diabetes, shoot):
    page = page_for(team_mate, viewport=DESKTOP, java_script_enabled=False)
    page.goto(f"{ADDRESS}?{CHARTS}")
    shoot(page, "experiment-no-script")
    drawn = page.locator(".plot-figure svg path.line").count()

    page.get_by_role("link", name="Edit table").click()
    page.get_by_label("Search columns").fill("alph")
    page.get_by_label("Search columns").press("Enter")
    page.get_by_role("link", name="Add alpha").click()
    page.get_by_role("link", name="Move alpha up").click()
    shoot(page, "experiment-columns-no-script")
    page.get_by_role("link", name="Save").click()
    page.get_by_text("Add filter").click()
    page.locator("#add-value").fill("failed")
    page.locator("#add-field").select_option("status")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#run-table tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Remove the filter status:failed").click()
    page.get_by_role("link", name="Child runs of Run 8").click()
    expect(page.locator("#run-table tr.is-child")).to_have_count(20)
    page.get_by_role("button", name="Favorite: Run 8").click()
    page.locator(".star[aria-pressed=true]").wait_for()
    page.get_by_role("link", name="Favorites").click()

    assert drawn == 8
    expect(page.locator("#run-table tbody tr:not(.is-child, .more-row)")).to_have_count(1)
    assert "params.alpha" in page.url
