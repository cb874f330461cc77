"""The canvas of the Designer under mouse, keys and fingers: what is chosen, moved, copied, seen, taken back, saved."""

import pytest
from playwright.sync_api import Page, expect

from runs.models import PipelineDraft
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def home(tmp_path, settings):
    settings.STUDIO_HOME = tmp_path


@pytest.fixture
def draft(workspace, team_mate, local):
    return factories.pipeline_draft(workspace, by=team_mate)


@pytest.fixture
def page(page_for, team_mate, draft):
    page = page_for(team_mate, viewport={"width": 1366, "height": 860})
    page.goto(draft.get_absolute_url())
    expect(page.locator(".node")).to_have_count(2)
    return page


def node(page, name):
    return page.locator(f'.node[data-step="{name}"]')


def middle(box):
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def on_wire(page):
    """The middle of the only line, on the screen."""
    return page.locator(".wire").evaluate("""path => {
      const at = path.getPointAtLength(path.getTotalLength() / 2).matrixTransform(path.getScreenCTM());
      return [at.x, at.y];
    }""")


def view(page):
    """How the canvas is moved and zoomed: its x, y and zoom."""
    return page.locator(".world").evaluate("""world => {
      const { e, f, a } = new DOMMatrix(getComputedStyle(world).transform);
      return [e, f, a];
    }""")


def saved(page):
    """The document, once it is saved."""
    expect(page.locator("#draft-status")).to_have_text("Draft saved")
    return PipelineDraft.objects.get().document


def test_a_line_is_chosen_by_a_click_deleted_and_taken_back(page):
    page.mouse.click(*on_wire(page))
    expect(page.locator(".wire.is-chosen")).to_have_count(1)
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator(".wire")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".wire")).to_have_count(1)
    page.mouse.click(*on_wire(page))
    page.keyboard.press("Delete")
    expect(page.locator(".wire")).to_have_count(0)

    assert saved(page)["steps"]["train"]["inputs"] == {"table": ""}


def test_steps_are_framed_copied_moved_and_taken_back(page):
    ground = page.locator(".canvas").bounding_box()
    page.keyboard.down("Shift")
    page.mouse.move(ground["x"] + 8, ground["y"] + 8)
    page.mouse.down()
    page.mouse.move(ground["x"] + ground["width"] - 8, ground["y"] + ground["height"] - 140, steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    expect(page.locator(".node.is-chosen")).to_have_count(2)

    page.keyboard.press("Control+c")
    page.keyboard.press("Control+v")
    expect(page.locator(".wire")).to_have_count(2)
    steps = saved(page)["steps"]
    assert list(steps) == ["prepare", "train", "prepare_2", "train_2"]
    assert steps["train_2"]["inputs"] == {"table": "${{ steps.prepare_2.outputs.table }}"}

    page.keyboard.press("Control+z")
    expect(page.locator(".node")).to_have_count(2)
    page.keyboard.press("Control+Shift+z")
    expect(page.locator(".node")).to_have_count(4)
    before = node(page, "train").bounding_box()
    node(page, "train").press("ArrowRight")
    assert node(page, "train").bounding_box()["x"] > before["x"]
    saved(page)
    place = PipelineDraft.objects.get().positions["train"]
    page.mouse.move(*middle(node(page, "train").bounding_box()))
    page.mouse.down()
    page.mouse.move(ground["x"] + 120, ground["y"] + 120, steps=4)
    page.mouse.up()
    saved(page)
    assert PipelineDraft.objects.get().positions["train"] != place


def test_what_is_typed_is_kept_when_a_step_is_pressed(page):
    pane = page.locator("#step-pane")
    node(page, "train").click()
    pane.get_by_label("Arguments", exact=True).fill("first")
    node(page, "prepare").click()
    expect(pane.get_by_label("Name", exact=True)).to_have_value("prepare")
    pane.get_by_label("Name", exact=True).fill("fetch")
    x, y = middle(node(page, "prepare").bounding_box())
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y + 40, steps=4)
    page.mouse.up()
    assert middle(node(page, "fetch").bounding_box()) == pytest.approx((x + 40, y + 40), abs=5)

    steps = saved(page)["steps"]
    assert list(steps) == ["fetch", "train"]
    assert steps["train"]["arguments"] == ["first"]


def test_a_line_from_a_step_that_goes_is_given_up(page):
    page.get_by_role("button", name="Empty step").click()
    node(page, "step").get_by_role("button", name="Runs before").click()
    expect(page.locator(".canvas.is-connecting")).to_have_count(1)
    page.keyboard.press("Control+z")
    expect(node(page, "step")).to_have_count(0)
    page.mouse.move(*middle(node(page, "prepare").bounding_box()))

    expect(page.locator(".canvas.is-connecting")).to_have_count(0)


def test_the_view_is_zoomed_fitted_and_moved_by_the_minimap(page):
    fitted = view(page)
    page.get_by_role("button", name="Zoom in").click()
    assert view(page)[2] == pytest.approx(fitted[2] * 1.25)
    page.locator(".canvas").press("-")
    assert view(page)[2] == pytest.approx(fitted[2])
    page.mouse.move(*middle(page.locator(".canvas").bounding_box()))
    seen = page.locator(".world").get_attribute("style")
    page.mouse.wheel(0, 300)
    expect(page.locator(".world")).not_to_have_attribute("style", seen)
    assert view(page)[1] == pytest.approx(fitted[1] - 300)
    page.get_by_role("button", name="Fit").click()
    assert view(page) == pytest.approx(fitted)

    page.locator(".minimap").click(position={"x": 20, "y": 20})
    assert view(page)[0] > fitted[0]
    assert saved(page) == PipelineDraft.objects.get().document


def test_what_is_added_or_reached_by_keys_is_seen(page):
    for name in ("step", "step_2", "step_3", "step_4", "step_5", "step_6"):
        page.get_by_role("button", name="Empty step").click()
        expect(node(page, name)).to_be_focused()
        expect(node(page, name)).to_be_in_viewport(ratio=1)
        assert is_inside(page, name)

    page.locator(".canvas").focus()
    page.keyboard.press("Tab")

    expect(node(page, "prepare")).to_be_focused()
    assert is_inside(page, "prepare")


def is_inside(page: Page, name: str) -> bool:
    """Whether a step lies within the canvas, on whose edges it would be cut off."""
    ground, box = page.locator(".canvas").bounding_box(), node(page, name).bounding_box()
    return ground["y"] <= box["y"] and box["y"] + box["height"] <= ground["y"] + ground["height"]


def test_fingers_add_move_connect_and_zoom(page_for, team_mate, draft):
    page = page_for(team_mate, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.goto(draft.get_absolute_url())
    fingers = page.context.new_cdp_session(page)

    def touch(kind, *points):
        places = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    def drag(start, end):
        touch("touchStart", start)
        touch("touchMove", ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2))
        touch("touchMove", end)
        touch("touchEnd")

    page.get_by_role("button", name="Empty step").tap()
    expect(page.locator(".node")).to_have_count(3)
    seen = page.locator(".world").get_attribute("style")
    page.get_by_role("button", name="Fit").tap()
    expect(page.locator(".world")).not_to_have_attribute("style", seen)
    page.locator(".canvas").scroll_into_view_if_needed()
    port = node(page, "train").get_by_role("button", name="Runs before")
    drag(middle(port.bounding_box()), middle(node(page, "step").bounding_box()))
    expect(page.locator(".wire")).to_have_count(2)
    x, y = middle(node(page, "step").bounding_box())
    drag((x, y), (x + 40, y + 20))
    assert middle(node(page, "step").bounding_box()) == pytest.approx((x + 40, y + 20), abs=5)

    zoom, (x, y) = view(page)[2], middle(page.locator(".canvas").bounding_box())
    touch("touchStart", (x - 40, y), (x + 40, y))
    touch("touchMove", (x - 80, y), (x + 80, y))
    touch("touchEnd")
    assert view(page)[2] == pytest.approx(zoom * 2, rel=0.1)
    assert saved(page)["steps"]["step"]["depends_on"] == ["train"]


def test_what_could_not_be_saved_is_saved_once_the_server_is_back(page):
    page.route("**/save/", lambda route: route.abort())
    node(page, "train").click()
    page.keyboard.press("Delete")
    expect(page.locator("#draft-status")).to_have_text("Not saved: the server does not answer.")
    page.unroute("**/save/")

    expect(page.locator("#draft-status")).to_have_text("Draft saved")
    assert list(PipelineDraft.objects.get().document["steps"]) == ["prepare"]
