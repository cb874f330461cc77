"""Every page there is, in a browser: axe finds nothing in light or dark, wide or narrow; the keys that go everywhere.

`page_for` adds that no page asks another host for anything, breaks the content security
policy, or throws an error.
"""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from runs.models import Preferences
from tests import factories, pages
from tests.journeys.conftest import SLOW_LINE

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

DESKTOP = {"width": 1360, "height": 900}
PHONE = {"width": 360, "height": 740}


@pytest.fixture
def addresses(workspace, team_mate, local, settings, tmp_path):
    settings.STUDIO_HOME = tmp_path
    return pages.fill(workspace, team_mate, local)


def faults(page):
    found = Axe().run(page).response["violations"]
    return [(fault["id"], [node["html"][:200] for node in fault["nodes"]][:3]) for fault in found]


def test_every_page_is_accessible_in_light_and_dark(page_for, team_mate, addresses, shoot):
    """One visit each: wide and light, then as narrow as a phone and dark."""
    member, stranger = (page_for(user, viewport=DESKTOP) for user in (team_mate, None))
    found = {}

    for name, address in addresses.items():
        page = stranger if name in pages.FOR_STRANGERS else member
        page.set_viewport_size(DESKTOP)
        page.emulate_media(color_scheme="light")
        page.goto(address)
        found[f"{name}, light"] = faults(page)
        page.emulate_media(color_scheme="dark")
        found[f"{name}, dark"] = faults(page)
        page.set_viewport_size(PHONE)
        found[f"{name}, dark on a phone"] = faults(page)
        shoot(page, f"every-{name}-dark-phone")

    assert {name: each for name, each in found.items() if each} == {}


def test_every_page_needs_no_motion(page_for, team_mate, addresses):
    page = page_for(team_mate, reduced_motion="reduce")
    page.goto(addresses["experiment_detail"])

    moving = page.evaluate(
        "[...document.querySelectorAll('*')].filter(node => { const style = getComputedStyle(node);"
        " return parseFloat(style.transitionDuration) > 0.01 || style.animationName !== 'none' })"
        ".map(node => node.outerHTML.slice(0, 100))"
    )

    assert moving == []


def test_what_has_the_focus_is_seen(page_for, team_mate, addresses):
    page = page_for(team_mate, viewport=DESKTOP)
    page.goto(addresses["experiment_detail"])
    unseen = []

    for _ in range(40):
        page.keyboard.press("Tab")
        unseen += page.evaluate(
            "(() => { const node = document.activeElement, style = getComputedStyle(node);"
            " return node === document.body || style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2"
            " ? [] : [node.outerHTML.slice(0, 120)] })()"
        )

    assert unseen == []


def test_keys_lead_everywhere_and_move_in_tables(page_for, team_mate, addresses):
    page = page_for(team_mate, viewport=DESKTOP)
    # Between the two keys no second passes, however slow the machine is.
    page.clock.set_fixed_time(factories.NOON)
    page.goto(addresses["workspace_home"])

    page.keyboard.type("ge")
    page.wait_for_url("**/experiments/")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/experiments/diabetes/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("k")
    page.keyboard.press("x")
    ticked = page.locator(".tick:checked")
    expect(ticked).to_have_count(2)
    runs = {box.get_attribute("value") for box in ticked.all()}
    page.keyboard.press("c")
    page.wait_for_url("**/compare/?runs=*")

    assert set(page.url.partition("runs=")[2].split(",")) == runs


def test_the_keys_are_listed_and_rest_while_one_types(page_for, team_mate, addresses):
    page = page_for(team_mate, viewport=DESKTOP)
    page.goto(addresses["experiment_detail"])
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")

    page.keyboard.press("?")
    expect(dialog.get_by_text("Compare the ticked runs")).to_be_visible()
    assert faults(page) == []
    page.keyboard.type("ge")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.type("ge?x")
    page.wait_for_timeout(300)

    assert page.locator("#q").input_value() == "ge?x"
    assert "/experiments/diabetes/" in page.url
    expect(dialog).to_be_hidden()


def test_the_list_of_keys_opens_once(page_for, team_mate, addresses):
    page = page_for(team_mate, viewport=DESKTOP)
    page.add_init_script(SLOW_LINE.replace("500", "1500"))
    page.goto(addresses["experiment_detail"])
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")

    page.keyboard.press("?")
    page.wait_for_timeout(700)
    page.keyboard.press("?")
    dialog.wait_for()
    page.keyboard.press("Escape")
    page.wait_for_timeout(1200)

    expect(dialog).to_be_hidden()


def test_who_turned_the_keys_off_is_left_alone(page_for, team_mate, addresses):
    Preferences.objects.create(user=team_mate, has_shortcuts=False)
    page = page_for(team_mate, viewport=DESKTOP)
    page.goto(addresses["experiment_detail"])

    page.keyboard.press("?")
    page.keyboard.press("/")
    page.keyboard.type("gc")
    page.wait_for_timeout(300)

    assert page.url.endswith(addresses["experiment_detail"])
    assert page.evaluate("document.activeElement === document.body")
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_preferences_and_keys_need_no_scripts(page_for, team_mate, addresses):
    page = page_for(team_mate, java_script_enabled=False, viewport=DESKTOP)
    page.goto(addresses["preferences"])

    page.get_by_label("Language").select_option("it")
    page.get_by_label("Time zone").select_option("Asia/Tokyo")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Le tue preferenze sono salvate.")).to_be_visible()
    page.get_by_role("link", name="Scorciatoie da tastiera").last.click()
    expect(page.get_by_text("Confronta le esecuzioni selezionate")).to_be_visible()
    page.goto(addresses["experiment_list"])

    expect(page.locator("td time").first).to_contain_text("JST")
    expect(page.locator("html")).to_have_attribute("lang", "it")


def test_a_stranger_chooses_the_language_without_scripts(page_for, db):
    page = page_for(None, java_script_enabled=False)
    page.goto("/sign-in/")

    page.get_by_role("button", name="Italiano").click()
    expect(page.get_by_label("Nome utente")).to_be_visible()
    page.get_by_role("button", name="English").click()

    expect(page.get_by_label("User name")).to_be_visible()
