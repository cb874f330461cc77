"""The search bar completes what one types by the keyboard alone, and the trash fits and can be read by everybody."""

import re
from contextlib import nullcontext

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import expect

from runs.actions import retention, tagging, trash
from runs.status import RunStatus
from tests import factories
from tests.journeys.conftest import SLOW_LINE

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def runs(experiment, owner, workspace, noon):
    made = [factories.run(experiment, by=owner, status=RunStatus.COMPLETED) for _ in range(4)]
    tagging.set_tags(run=made[0], tags={"quality": "great run"})
    trash.trash_run(run=made[2], at=noon)
    retention.add_rule(workspace=workspace, query="status:failed", after_days=30, by=owner, at=noon)
    return made


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_one_searches_by_keyboard_and_finds_the_trash(
    page_for, shoot, owner, workspace, experiment, runs, color_scheme
):
    page = page_for(owner, color_scheme=color_scheme, viewport={"width": 1280, "height": 900})
    page.goto(experiment.get_absolute_url() + "?columns=number")
    field = page.locator("#q")
    options = page.get_by_role("option")

    field.press_sequentially("tags.qu")
    expect(page.locator("#q-options")).to_have_text("tags.quality:")
    field.press("ArrowDown")
    shoot(page, f"search-{color_scheme}")
    violations = [found["id"] for found in Axe().run(page).response["violations"]]
    field.press("Enter")
    field.press_sequentially("g")
    expect(page.locator("#q-options")).to_have_text('tags.quality:"great run"')
    field.press("ArrowDown")
    field.press("Enter")
    expect(field).to_have_value('tags.quality:"great run"')
    expect(page.locator("#q-options")).to_be_hidden()
    expect(page.locator("#run-table tbody tr")).to_have_count(1)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(reverse("trash_list", args=[workspace.name]) + "?rule=1")
        shoot(page, f"trash-{color_scheme}-{width}")
        violations += [found["id"] for found in Axe().run(page).response["violations"]]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    assert violations == []
    assert options.count() == 0


def test_an_answer_on_its_way_leaves_the_list_in_which_one_chooses(page_for, owner, experiment, runs):
    page = page_for(owner)
    page.add_init_script(SLOW_LINE)
    page.goto(experiment.get_absolute_url())
    field = page.locator("#q")

    field.press_sequentially("tags.q")
    expect(page.locator("#q-options")).to_have_text("tags.quality:")
    with page.expect_response("**q=tags.qu"):
        field.press("u")
        expect(page.locator("html")).to_have_attribute("data-asked", re.compile(r"q=tags\.qu$"))
        field.press("ArrowDown")
    page.wait_for_timeout(300)
    field.press("Enter")

    expect(field).to_have_value("tags.quality:")


def test_what_is_typed_is_searched_though_a_poll_is_answered_meanwhile(page_for, owner, experiment, runs, noon):
    page = page_for(owner)
    page.goto(experiment.get_absolute_url() + "?columns=number")
    rows = page.locator("#run-table tbody tr")
    expect(rows).to_have_count(3)
    factories.run(experiment, by=owner, at=noon)

    page.evaluate("""() => {
      const field = document.getElementById("q");
      field.value = "number:1";
      field.dispatchEvent(new Event("input", { bubbles: true }));
      htmx.trigger("#runs", "every");
    }""")

    expect(rows).to_have_count(1)
    assert "q=number" in page.url


@pytest.mark.parametrize(("scripts", "color_scheme", "width"), [(True, "dark", 390), (False, "light", 1280)])
def test_a_search_with_an_order_is_found_again_among_ones_own(
    page_for, shoot, owner, experiment, runs, scripts, color_scheme, width
):
    page = page_for(
        owner, java_script_enabled=scripts, color_scheme=color_scheme, viewport={"width": width, "height": 900}
    )
    page.goto(experiment.get_absolute_url() + "?columns=number")

    page.locator("#q").press_sequentially("order:number status:completed")
    with page.expect_response("**/search/used/") if scripts else nullcontext():
        page.locator("#q").press("Enter")
    expect(page.locator("#run-table tbody tr").first).to_contain_text("Run 1")
    page.goto(experiment.get_absolute_url())
    page.get_by_text("Your searches").click()
    shoot(page, f"own-searches-{color_scheme}-{width}")
    faults = [found["id"] for found in Axe().run(page).response["violations"]] if scripts else []
    fits = not scripts or page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("link", name="order:number status:completed").click()

    expect(page.locator("#run-table tbody tr").first).to_contain_text("Run 1")
    expect(page.locator("#q")).to_have_value("order:number status:completed")
    assert (faults, fits) == ([], True)
