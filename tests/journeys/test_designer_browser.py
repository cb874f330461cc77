"""The Designer in a browser: a pipeline drawn by mouse and keys, run by its dialog, edited without scripts."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import expect

from runs.actions import scheduling
from runs.models import PipelineDraft, Run, RunType, Schedule, Snapshot, StepRun
from runs.status import RunStatus
from tests import factories
from tests.journeys.conftest import SLOW_LINE
from tests.runs.views import test_run_graph

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def home(tmp_path, settings):
    settings.STUDIO_HOME = tmp_path


@pytest.fixture
def draft(workspace, team_mate, local):
    return factories.pipeline_draft(workspace, by=team_mate)


def node(page, name):
    return page.locator(f'.node[data-step="{name}"]')


def field(page, pane, label):
    return page.locator(f"#{pane}-pane").get_by_label(label, exact=True)


def drag(page, source, target):
    start, end = source.bounding_box(), target.bounding_box()
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(end["x"] + end["width"] / 2, end["y"] + end["height"] / 2, steps=6)
    page.mouse.up()


def saved(page):
    expect(page.locator("#draft-status")).to_have_text("Draft saved")
    return PipelineDraft.objects.get().document


def test_a_pipeline_is_drawn_run_and_watched(page_for, shoot, team_mate, workspace, local):
    page = page_for(team_mate)
    page.goto(reverse("pipeline_draft_list", args=[workspace.name]))
    page.get_by_role("button", name="New pipeline").first.click()

    # By mouse: two steps of the palette, the second found by a search, tied by dragging.
    page.get_by_label("Search steps").fill("hello")
    page.get_by_role("button", name="hello.py").click()
    field(page, "step", "Name").fill("prepare")
    field(page, "step", "Outputs").fill("table")
    field(page, "step", "Outputs").press("Tab")
    page.get_by_role("button", name="hello.py").click()
    expect(node(page, "hello")).to_be_focused()
    drag(page, node(page, "prepare").get_by_role("button", name="Output: table"), node(page, "hello"))
    expect(page.locator(".wire")).to_have_count(1)

    # By keys: a third one, with Enter on the order's port and Enter on the step.
    page.get_by_label("Search steps").fill("empty")
    page.get_by_role("button", name="Empty step").press("Enter")
    expect(node(page, "step")).to_be_focused()
    node(page, "hello").get_by_role("button", name="Runs before").press("Enter")
    node(page, "step").press("Enter")
    expect(page.locator(".wire")).to_have_count(2)
    node(page, "step").press("Control+z")
    expect(page.locator(".wire")).to_have_count(1)
    node(page, "step").press("Control+y")
    page.get_by_role("button", name="Tidy up").click()
    shoot(page, "designer-drawn")

    # The default compute target, in the settings of the pipeline.
    page.locator(".canvas").press("Escape")
    field(page, "pipeline", "Default compute target").select_option("local")
    field(page, "pipeline", "Parameters").fill("seed: integer = 7")
    field(page, "pipeline", "Parameters").press("Tab")
    page.get_by_role("link", name="Run", exact=True).click()
    page.get_by_label("New experiment").fill("penguins")
    page.get_by_label("seed").fill("8")
    shoot(page, "designer-dialog")
    page.locator("#run-dialog").get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/graph/")

    run = Run.objects.get(run_type=RunType.PIPELINE)
    assert run.pipeline.parameters == {"seed": 8}
    assert run.pipeline.definition["steps"]["hello"]["inputs"] == {"table": "${{ steps.prepare.outputs.table }}"}
    assert run.pipeline.definition["steps"]["step"]["depends_on"] == ["hello"]
    page.get_by_role("link", name="prepare: Queued").click()
    expect(page.locator("#step-title")).to_have_text("prepare")
    Run.objects.filter(step__name="prepare").update(status=RunStatus.FAILED, ended_at=run.created_at)
    expect(page.get_by_role("link", name="prepare: Failed")).to_be_visible()
    shoot(page, "graph-panel")


def test_what_is_wrong_is_said_at_the_step_and_two_tabs_lose_nothing(page_for, team_mate, draft):
    page, other = page_for(team_mate), page_for(team_mate)
    page.goto(draft.get_absolute_url())
    other.goto(draft.get_absolute_url())

    node(page, "train").click()
    field(page, "step", "Compute target").wait_for()
    field(page, "step", "Inputs").fill("table = prepare.tabel")
    field(page, "step", "Inputs").press("Tab")
    expect(node(page, "train").locator(".node-fault")).to_be_visible()
    expect(page.locator("#step-pane .fault")).to_contain_text("did you mean 'table'?")
    node(other, "train").click()
    field(other, "step", "Retries").evaluate("field => field.closest('details').open = true")
    field(other, "step", "Retries").fill("3")
    field(other, "step", "Retries").press("Tab")

    expect(other.locator("#draft-conflict")).to_be_visible()
    assert "retries" not in saved(page)["steps"]["train"]


def test_changes_during_a_slow_save_are_no_conflict_with_oneself(page_for, team_mate, draft):
    page = page_for(team_mate)
    page.add_init_script(SLOW_LINE.replace("500", "2000"))
    page.goto(draft.get_absolute_url())

    node(page, "train").click()
    for words in ("first", "second", "third"):
        field(page, "step", "Arguments").fill(words)
        field(page, "step", "Arguments").press("Tab")
        page.wait_for_timeout(700)

    assert saved(page)["steps"]["train"]["arguments"] == ["third"]
    expect(page.locator("#draft-conflict")).to_be_hidden()


def test_a_step_that_comes_late_leads_nobody_away(page_for, team_mate, draft):
    page = page_for(team_mate)
    page.add_init_script(SLOW_LINE)
    page.goto(draft.get_absolute_url())

    node(page, "train").click()
    page.get_by_role("button", name="Empty step").click()
    field(page, "step", "Arguments").fill("first")
    node(page, "step").wait_for()
    expect(field(page, "step", "Arguments")).to_be_focused()
    field(page, "step", "Arguments").press("Tab")

    steps = saved(page)["steps"]
    assert steps["train"]["arguments"] == ["first"]
    assert "arguments" not in steps["step"]


def test_what_is_added_while_the_canvas_is_tidied_keeps_its_place(page_for, team_mate, draft):
    page = page_for(team_mate)
    page.add_init_script(SLOW_LINE)
    page.goto(draft.get_absolute_url())

    node(page, "train").click()
    node(page, "train").press("Control+c")
    with page.expect_response("**/layout/"):
        page.get_by_role("button", name="Tidy up").click()
        page.locator(".canvas").press("Control+v")
    node(page, "train_2").wait_for()

    saved(page)
    assert set(PipelineDraft.objects.get().positions) == {"prepare", "train", "train_2"}


def test_a_double_click_at_run_opens_one_dialog(page_for, team_mate, draft):
    page = page_for(team_mate)
    page.add_init_script(SLOW_LINE)
    page.goto(draft.get_absolute_url())

    page.get_by_role("link", name="Run", exact=True).dblclick(delay=100)
    page.get_by_label("New experiment").fill("penguins")
    page.wait_for_timeout(1000)

    expect(page.get_by_label("New experiment")).to_have_value("penguins")


def test_yaml_with_a_mistake_stays_though_a_save_is_answered_meanwhile(page_for, team_mate, draft):
    page = page_for(team_mate)
    page.add_init_script(SLOW_LINE.replace("500", "2000"))
    page.goto(draft.get_absolute_url())
    text = page.get_by_label("The pipeline as YAML")

    node(page, "train").click()
    field(page, "step", "Arguments").fill("first")
    field(page, "step", "Arguments").press("Tab")
    page.get_by_role("button", name="YAML").click()
    text.fill("steps: [")
    page.get_by_role("button", name="Apply to the canvas").click()

    expect(page.locator("#draft-status")).to_contain_text("This is no YAML")
    expect(text).to_have_value("steps: [")
    assert PipelineDraft.objects.get().document["steps"]["train"]["arguments"] == ["first"]


def test_yaml_and_canvas_change_each_other(page_for, team_mate, draft):
    page = page_for(team_mate)
    page.goto(draft.get_absolute_url())

    page.get_by_role("button", name="YAML").click()
    text = page.get_by_label("The pipeline as YAML")
    text.fill(text.input_value() + "  report:\n    command: [echo, done]\n    depends_on: [train]\n")
    page.get_by_role("button", name="Apply to the canvas").click()
    expect(node(page, "report")).to_be_visible()
    node(page, "report").click()
    node(page, "report").press("Delete")
    expect(node(page, "report")).to_have_count(0)

    assert list(saved(page)["steps"]) == ["prepare", "train"]


def test_without_scripts_a_draft_is_a_form(page_for, team_mate, workspace, draft):
    page = page_for(team_mate, java_script_enabled=False)
    page.goto(draft.get_absolute_url())
    assert page.locator(".graph-node").count() == 2

    page.get_by_role("link", name="Form", exact=True).click()
    page.locator("#id_step-0-name").fill("fetch")
    page.get_by_label("Add a step").select_option("empty")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#id_step-2-name")).to_have_value("step")
    document = PipelineDraft.objects.get().document
    assert list(document["steps"]) == ["fetch", "train", "step"]
    assert document["steps"]["train"]["inputs"] == {"table": "${{ steps.fetch.outputs.table }}"}

    page.get_by_role("link", name="Run", exact=True).click()
    page.get_by_label("New experiment").fill("penguins")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".graph-node")).to_have_count(3)
    assert StepRun.objects.count() == 3


def test_a_script_of_ones_own_is_uploaded_in_the_palette(page_for, shoot, team_mate, draft):
    page = page_for(team_mate)
    page.goto(draft.get_absolute_url())
    palette = page.get_by_role("region", name="Steps to add")
    palette.get_by_text("Upload", exact=True).click()
    code = {"mimeType": "text/x-python", "buffer": b"print('mine')\n"}

    # Of two files neither is likely: it is asked which, and the files need not be chosen again.
    palette.get_by_label("Files").set_input_files([{"name": "fit.py", **code}, {"name": "plot.py", **code}])
    palette.get_by_role("button", name="Upload as a step").click()
    expect(palette.get_by_label("Script")).to_be_focused()
    expect(palette.get_by_text("Which file is the script? The files hold fit.py, plot.py.")).to_be_visible()
    expect(palette.get_by_text("2 files of your upload are kept")).to_be_visible()
    shoot(page, "designer-upload-refused")
    expect(palette.get_by_label("Script")).to_have_value("")
    assert list(saved(page)["steps"]) == ["prepare", "train"]
    palette.get_by_label("Script").fill("fit.py")
    palette.get_by_role("button", name="Upload as a step").click()
    expect(node(page, "fit")).to_be_focused()
    expect(palette.get_by_label("Script")).to_have_value("")

    # It is a component now, and stays one after a reload.
    palette.get_by_role("button", name="fit.py").click()
    expect(node(page, "fit_2")).to_be_visible()
    steps = saved(page)["steps"]
    assert steps["fit"] == steps["fit_2"] == {"script": "fit.py", "snapshot": Snapshot.objects.get().digest}
    page.reload()
    expect(palette.get_by_role("button", name="fit.py")).to_be_visible()
    expect(node(page, "fit_2")).to_be_visible()


def test_an_upload_that_reaches_no_server_says_so(page_for, team_mate, draft):
    page = page_for(team_mate)
    page.goto(draft.get_absolute_url())
    palette = page.get_by_role("region", name="Steps to add")
    palette.get_by_text("Upload", exact=True).click()
    page.route("**/upload/", lambda route: route.abort())

    palette.get_by_role("button", name="Upload as a step").click()

    expect(palette.get_by_role("alert")).to_have_text("Not saved: the server does not answer.")
    page.unroute("**/upload/")
    palette.get_by_role("button", name="Upload as a step").click()
    expect(palette.get_by_text("Choose the files to upload.")).to_be_visible()
    expect(palette.get_by_role("alert")).to_be_hidden()


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1366, 390])
def test_the_upload_is_accessible_and_fits(page_for, shoot, team_mate, workspace, draft, color_scheme, width):
    page = page_for(team_mate, color_scheme=color_scheme, viewport={"width": width, "height": 860})
    wide, violations = [], []
    for name in ("pipeline_draft", "pipeline_draft_form"):
        page.goto(reverse(name, args=[workspace.name, draft.draft_id]))
        if name == "pipeline_draft":
            page.get_by_text("Upload", exact=True).click()
        page.get_by_role("button", name="Upload as a step").click()
        expect(page.get_by_text("Choose the files to upload.")).to_be_visible()
        shoot(page, f"upload-{name}-{color_scheme}-{width}")
        violations += [
            (found["id"], found["nodes"][0]["html"][:200]) for found in Axe().run(page).response["violations"]
        ]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(name)

    assert violations == []
    assert wide == []


def test_without_scripts_the_form_takes_a_script_of_ones_own(page_for, team_mate, workspace, draft):
    page = page_for(team_mate, java_script_enabled=False)
    page.goto(reverse("pipeline_draft_form", args=[workspace.name, draft.draft_id]))

    page.get_by_label("Files").set_input_files({"name": "fit.py", "mimeType": "text/x-python", "buffer": b"print(1)\n"})
    page.get_by_role("button", name="Upload as a step").click()

    expect(page.locator("#id_step-2-name")).to_have_value("fit")
    assert PipelineDraft.objects.get().document["steps"]["fit"]["script"] == "fit.py"


def test_a_schedule_shows_its_next_times_while_it_is_written(page_for, team_mate, workspace):
    published = factories.published_pipeline(workspace, by=team_mate)
    page = page_for(team_mate, timezone_id="Europe/Rome")
    page.goto(published.get_absolute_url())
    page.get_by_role("link", name="New schedule").click()

    expect(page.locator(".times li")).to_have_count(5)
    expect(page.get_by_label("Time zone")).to_have_value("Europe/Rome")
    expect(page.get_by_label("Cron expression", exact=True)).to_be_hidden()
    expect(page.get_by_label("Monday")).to_be_hidden()
    page.get_by_label("Unit").select_option("Week")
    page.get_by_label("Monday").check()
    expect(page.locator(".times .muted")).to_have_text(["Mon"] * 5)
    page.get_by_label("By a cron expression").check()
    page.get_by_label("Cron expression", exact=True).fill("0 25 * * *")
    page.get_by_label("Cron expression", exact=True).press("Tab")
    expect(page.locator("#schedule-times")).to_contain_text("is no cron expression")
    page.get_by_label("Cron expression", exact=True).fill("15 4 * * FRI")
    page.get_by_label("Cron expression", exact=True).press("Tab")
    expect(page.locator(".times .muted")).to_have_text(["Fri"] * 5)
    page.get_by_label("Experiment").fill("weekly")
    page.get_by_role("button", name="Make the schedule").click()

    expect(page.get_by_role("button", name="Make the schedule")).to_have_count(0)
    schedule = Schedule.objects.get()
    assert page.url.endswith(reverse("schedule_edit", args=[schedule.schedule_id]))
    assert (schedule.cron, schedule.time_zone, schedule.experiment_name) == ("15 4 * * FRI", "Europe/Rome", "weekly")


def test_the_next_times_are_those_of_the_last_change(page_for, team_mate, workspace):
    published = factories.published_pipeline(workspace, by=team_mate)
    page = page_for(team_mate)
    page.add_init_script(SLOW_LINE)
    page.goto(reverse("schedule_new", args=[workspace.name, published.pipeline_id]))

    page.get_by_label("Unit").select_option("Week")
    for day in ("Monday", "Wednesday", "Friday"):
        page.get_by_label(day).check()

    expect(page.locator(".times .muted", has_text="Fri")).not_to_have_count(0)


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1366, 390])
def test_the_pages_are_accessible_and_fit(
    page_for, shoot, team_mate, workspace, draft, experiment, color_scheme, width
):
    run = test_run_graph.pipeline_run(experiment, team_mate, test_run_graph.DEFINITION)
    test_run_graph.step(run, "prepare", RunStatus.COMPLETED, ended_at=factories.NOON, started_at=factories.NOON)
    test_run_graph.step(run, "train", RunStatus.RUNNING, item={"model": "ridge"}, started_at=factories.NOON)
    test_run_graph.step(run, "report", RunStatus.NOT_STARTED)
    published = factories.published_pipeline(workspace, by=team_mate)
    schedule = factories.schedule(published, by=team_mate)
    scheduling.run_due(at=factories.NOON)
    page = page_for(team_mate, color_scheme=color_scheme, viewport={"width": width, "height": 860})
    graph = reverse("run_graph", args=[run.run_id])
    addresses = {
        "canvas": draft.get_absolute_url(),
        "form": reverse("pipeline_draft_form", args=[workspace.name, draft.draft_id]),
        "yaml": reverse("pipeline_draft_yaml", args=[workspace.name, draft.draft_id]),
        "setup": reverse("pipeline_draft_run", args=[workspace.name, draft.draft_id]),
        "graph": f"{graph}?step=train",
        "gantt": f"{graph}?view=gantt",
        "runs": reverse("pipeline_run_list", args=[workspace.name]),
        "drafts": reverse("pipeline_draft_list", args=[workspace.name]),
        "publish": reverse("pipeline_run_publish", args=[run.run_id]),
        "published": reverse("published_pipeline_list", args=[workspace.name]),
        "one": published.get_absolute_url(),
        "schedule": reverse("schedule_edit", args=[schedule.schedule_id]),
        "schedule-new": reverse("schedule_new", args=[workspace.name, published.pipeline_id]),
    }
    violations, wide = [], []

    for name, where in addresses.items():
        page.goto(where)
        shoot(page, f"pipeline-{name}-{color_scheme}-{width}")
        violations += [
            (name, found["id"], node["html"][:200])
            for found in Axe().run(page).response["violations"]
            for node in found["nodes"]
        ]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(name)

    assert violations == []
    assert wide == []
