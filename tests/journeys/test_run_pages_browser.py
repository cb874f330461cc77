"""A run's pages in a real browser: live, with and without scripts, and unharmed by what runs write."""

from io import BytesIO

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import expect

from runs import lifecycle, storage
from runs.actions import recording, snapshots
from runs.models import Metric, Param, Property, Run, Tag
from runs.status import RunStatus
from tests import factories
from tests.journeys.conftest import SLOW_LINE

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LOG = "user_logs/std_log.txt"
TABS = ["run_detail", "run_metrics", "run_children", "run_outputs", "run_snapshot", "run_raw"]
CANARY = "<img src=x onerror=alert(1)>\"'><script>alert(1)</script>{{7*7}}javascript:alert(1)"


@pytest.fixture(autouse=True)
def home(tmp_path, settings):
    settings.STUDIO_HOME = tmp_path


@pytest.fixture
def run(workspace, team_mate, local):
    """A running run with something on every tab."""
    code = b'"""Train."""\n\nimport math\n\n\ndef train(alpha: float) -> float:\n    return math.sin(alpha)  # loss\n'
    snapshot = snapshots.store_files(
        workspace=workspace, files=[("train.py", BytesIO(code)), ("src/model.py", BytesIO(code))], at=factories.NOON
    )
    experiment = factories.experiment(workspace, "diabetes")
    run = factories.run(
        experiment,
        by=team_mate,
        compute_target=local,
        snapshot=snapshot,
        arguments=["--alpha", "0.5"],
        environment_variables={"MODE": "fast", "API_KEY": "hidden"},
        description="A **first** try.",
        started_at=factories.NOON,
    )
    Tag.objects.create(run=run, key="quality", value="fantastic run")
    Property.objects.create(run=run, key="git.commit", value="0123abc")
    Param.objects.create(run=run, name="alpha", value="0.5", number=0.5)
    points = [
        recording.Point(name=name, step=step, at=factories.NOON, value=value)
        for step in range(60)
        for name, value in (("loss", 1 / (step + 1)), ("accuracy", 1 - 1 / (step + 2)))
    ]
    points.append(recording.Point(name="loss", step=60, at=factories.NOON, value=float("nan")))
    recording.log_metrics(run=run, points=points, at=factories.NOON)
    factories.run(experiment, by=team_mate, parent=run, status=RunStatus.FAILED)
    factories.run(experiment, by=team_mate, parent=run, status=RunStatus.COMPLETED)
    write(run, b"\x1b[32mready\x1b[0m\n" + b"".join(b"line %d\n" % n for n in range(2, 301)))
    write(run, b"prepared\n", "system_logs/supervisor.txt")
    recording.save_artifact(run=run, path="outputs/scores.csv", chunks=[b"alpha,mse\n0.1,3\n"], at=factories.NOON)
    lifecycle.move(run, RunStatus.PREPARING, at=factories.NOON, actor="supervisor")
    lifecycle.move(run, RunStatus.STARTING, at=factories.NOON, actor="supervisor")
    lifecycle.move(run, RunStatus.RUNNING, at=factories.NOON, actor="supervisor", reason="The script was started.")
    return run


def write(run, data, path=LOG):
    storage.append_log(run.pk, path, data, offset=storage.log_size(run.pk, path))


def address(name, run):
    return reverse(name, args=[run.run_id])


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_all_tabs_are_accessible_and_fit(page_for, shoot, team_mate, workspace, run, color_scheme, width):
    page = page_for(team_mate, color_scheme=color_scheme, viewport={"width": width, "height": 900})
    addresses = {name: address(name, run) for name in TABS}
    addresses["run_outputs_csv"] = address("run_outputs", run) + "?path=outputs/scores.csv"
    addresses["run_submit"] = reverse("run_submit", args=[workspace.name])
    violations, wide = [], []

    for name, where in addresses.items():
        page.goto(where)
        shoot(page, f"{name}-{color_scheme}-{width}")
        violations += [
            (name, found["id"], node["html"][:200])
            for found in Axe().run(page).response["violations"]
            for node in found["nodes"]
        ]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(name)

    assert violations == []
    assert wide == []


def test_the_log_grows_while_one_looks_and_follows_at_the_bottom(page_for, team_mate, run):
    page = page_for(team_mate)
    page.goto(address("run_outputs", run))
    page.locator("#L300").wait_for()

    write(run, b"fresh line\n")
    page.locator("#L301").wait_for()

    assert page.locator("#L301 .line-text").text_content() == "fresh line"
    assert page.locator("#L300").count() == 1
    assert page.evaluate(
        "(log => log.scrollHeight - log.scrollTop - log.clientHeight < 40)(document.getElementById('log'))"
    )


def test_the_log_does_not_move_while_one_reads_above(page_for, team_mate, run):
    page = page_for(team_mate)
    page.goto(address("run_outputs", run))
    page.locator("#log").evaluate("log => { log.scrollTop = 100; }")
    expect(page.locator("#log-follow")).to_have_attribute("aria-pressed", "false")

    write(run, b"fresh line\n")
    page.locator("#L301").wait_for(state="attached")

    assert page.locator("#log").evaluate("log => log.scrollTop") == 100


def test_a_progress_bar_is_one_line_that_changes(page_for, team_mate, run):
    page = page_for(team_mate)
    write(run, b"\r10%")
    page.goto(address("run_outputs", run))
    page.get_by_text("10%").wait_for()

    write(run, b"\r20%")
    page.get_by_text("20%").wait_for()

    assert page.get_by_text("10%").count() == 0
    assert page.locator("#L301").count() == 1


def test_a_click_on_a_number_and_shift_click_make_a_link_to_a_range(page_for, team_mate, run):
    page = page_for(team_mate)
    page.goto(address("run_outputs", run))

    page.locator("#L290 a").click()
    page.locator("#L293 a").click(modifiers=["Shift"])
    page.wait_for_url("**#L290-L293")

    expect(page.locator(".is-marked")).to_have_count(4)


def test_a_link_to_a_line_far_above_opens_its_window(page_for, team_mate, run):
    write(run, b"".join(b"line %d\n" % n for n in range(301, 20_001)))
    page = page_for(team_mate)

    page.goto(address("run_outputs", run) + "#L500-L502")
    page.wait_for_url("**line=500-502*")

    page.locator("#L501.is-marked").wait_for()
    expect(page.locator(".is-marked")).to_have_count(3)


def test_a_tag_is_added_and_typing_survives_the_refresh(page_for, team_mate, run, noon):
    page = page_for(team_mate)
    page.goto(address("run_detail", run))
    page.locator("#tag-key").fill("mood")
    page.locator("#tag-value").fill("good")
    page.get_by_role("button", name="Add tag").click()
    page.get_by_label("mood", exact=True).wait_for()

    page.locator("#tag-key").press_sequentially("half typ")
    Tag.objects.create(run=run, key="from-elsewhere", value="x")
    page.get_by_label("from-elsewhere", exact=True).wait_for()

    assert page.locator("#tag-key").input_value() == "half typ"
    assert page.evaluate("document.activeElement.id") == "tag-key"
    assert Tag.objects.get(run=run, key="mood").value == "good"


def test_the_next_tag_may_be_typed_before_the_answer_to_the_last_one(page_for, team_mate, run):
    page = page_for(team_mate)
    page.add_init_script(SLOW_LINE)
    page.goto(address("run_detail", run))

    page.locator("#tag-key").fill("mood")
    page.get_by_role("button", name="Add tag").click()
    page.locator("#tag-key").fill("weather")
    page.get_by_label("mood", exact=True).wait_for()

    expect(page.locator("#tag-key")).to_have_value("weather")


def test_a_tag_is_changed_and_removed(page_for, team_mate, run):
    page = page_for(team_mate)
    page.goto(address("run_detail", run))

    page.get_by_label("quality", exact=True).fill("fair")
    page.get_by_role("button", name="Save quality").click()
    expect(page.get_by_label("quality", exact=True)).to_have_attribute("value", "fair")
    page.get_by_role("button", name="Remove quality").click()
    page.get_by_text("No tags yet").wait_for()

    assert not Tag.objects.filter(run=run).exists()


def test_cancel_asks_first_and_the_page_then_says_so(page_for, team_mate, run):
    page = page_for(team_mate)
    page.goto(address("run_detail", run))

    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="No").click()
    assert Run.objects.get(pk=run.pk).status == "Running"

    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("dialog").get_by_label("Reason (optional)").fill("Wrong data.")
    page.get_by_role("button", name="Yes").click()
    page.get_by_role("button", name="Stop now").wait_for()

    canceled = Run.objects.get(pk=run.pk)
    assert (canceled.status, canceled.reason) == ("CancelRequested", "Wrong data.")


def test_the_heading_changes_by_itself_and_then_rests(page_for, team_mate, run, noon):
    page = page_for(team_mate)
    page.goto(address("run_raw", run))

    lifecycle.move(run, RunStatus.FAILED, at=noon, reason="The script ended with exit code 1.")
    page.locator("#run-head .pill", has_text="Failed").wait_for()

    assert page.locator("#run-head").get_attribute("hx-trigger") is None
    assert page.get_by_role("button", name="Cancel", exact=True).is_disabled()


def test_without_scripts_everything_but_live_works(page_for, team_mate, workspace, run):
    page = page_for(team_mate, java_script_enabled=False)
    page.goto(address("run_detail", run))
    page.locator("#tag-key").fill("mood")
    page.locator("#tag-value").fill("good")
    page.get_by_role("button", name="Add tag").click()
    expect(page.get_by_label("mood", exact=True)).to_have_value("good")

    page.get_by_role("link", name="Metrics", exact=True).click()
    expect(page.locator("svg path.line")).to_have_count(2)

    page.get_by_role("link", name="Outputs + logs").click()
    page.locator("#find").fill("line 123")
    page.locator("#find").press("Enter")
    page.locator(".log-found a").first.click()
    expect(page.locator("#L123.is-marked")).to_have_count(1)

    page.get_by_role("textbox", name="Reason (optional)").fill("Wrong data.")
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Stop now").wait_for()
    canceled = Run.objects.get(pk=run.pk)
    assert (canceled.status, canceled.reason) == ("CancelRequested", "Wrong data.")


def test_nothing_that_a_run_holds_becomes_script(page_for, team_mate, workspace, local):
    experiment = factories.experiment(workspace, CANARY.replace("/", ""))
    run = factories.run(
        experiment,
        by=team_mate,
        compute_target=local,
        run_id="canary",
        display_name=CANARY,
        description=CANARY + "\n\n[x](javascript:alert(1)) <b hx-get=/ hx-trigger=load>",
        script=CANARY,
        arguments=[CANARY],
        environment_variables={CANARY: CANARY},
        reason=CANARY,
        error=CANARY,
        status=RunStatus.FAILED,
    )
    factories.run(experiment, by=team_mate, parent=run, display_name=CANARY, run_id="canary-child")
    Tag.objects.create(run=run, key=CANARY, value=CANARY)
    Property.objects.create(run=run, key=CANARY, value=CANARY)
    Param.objects.create(run=run, name=CANARY, value=CANARY)
    Metric.objects.create(run=run, name=CANARY + "text", kind="text", point_count=1, latest_text=CANARY)
    recording.log_metrics(
        run=run,
        at=factories.NOON,
        points=[recording.Point(name=CANARY, step=step, at=factories.NOON, value=float(step)) for step in range(3)],
    )
    write(run, CANARY.encode() + b"\n\x1b]8;;javascript:alert(1)\x1b\\link\x1b]8;;\x1b\\\n")
    recording.save_artifact(run=run, path="outputs/evil.md", chunks=[CANARY.encode()], at=factories.NOON)
    page = page_for(team_mate)
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))

    for name in TABS:
        page.goto(address(name, run))
        page.wait_for_timeout(150)
    page.goto(address("run_outputs", run) + "?path=outputs/evil.md")
    page.goto(address("run_outputs", run) + "?find=alert")

    assert dialogs == []
    assert page.locator("a[href^='javascript:']").count() == 0
