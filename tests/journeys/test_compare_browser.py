"""The comparison in a real browser: it fits, and everybody can read it."""

import io

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import expect

from runs.actions import recording, snapshots
from runs.models import Tag
from runs.status import RunStatus
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def home(tmp_path, settings):
    settings.STUDIO_HOME = tmp_path


@pytest.fixture
def runs(experiment, owner, noon):
    made = []
    for number in range(1, 6):
        code = f'"""Train."""\n\nimport math\n\nRATE = {number / 100}\n\n\ndef train():\n    return RATE\n'.encode()
        snapshot = snapshots.store_files(
            workspace=experiment.workspace,
            files=[("train.py", io.BytesIO(code)), ("data.py", io.BytesIO(b"x = 1\n"))],
            at=noon,
        )
        run = factories.run(
            experiment,
            by=owner,
            status=RunStatus.FAILED if number == 4 else RunStatus.COMPLETED,
            snapshot=snapshot,
            arguments=["--alpha", str(number / 10)],
            duration_seconds=71.5 * number,
        )
        recording.log_params(run=run, params={"alpha": number / 10, "batch": 32 * number, "optimizer": "adam"})
        Tag.objects.create(run=run, key="quality", value="great run" if number == 3 else "fair")
        points = [
            recording.Point(name, value=value)
            for step in range(40)
            for name, value in (("loss", number / (step + 2)), ("accuracy", 1 - number / (step + 12)))
        ]
        recording.log_metrics(run=run, points=points, at=noon)
        made.append(run)
    return made


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_a_comparison_is_accessible_and_fits(page_for, shoot, owner, workspace, runs, color_scheme):
    page = page_for(owner, color_scheme=color_scheme)
    address = f"{reverse('run_compare', args=[workspace.name])}?runs={','.join(run.run_id for run in runs)}"
    violations = []

    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(address)
        shoot(page, f"compare-{color_scheme}-{width}")
        violations += [
            (width, found["id"], found["nodes"][0]["html"][:200]) for found in Axe().run(page).response["violations"]
        ]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    assert violations == []
    expect(page.get_by_role("heading", name="Parallel coordinates")).to_be_visible()


def test_it_needs_no_scripts(page_for, owner, workspace, runs):
    page = page_for(owner, java_script_enabled=False)
    page.goto(f"{reverse('run_compare', args=[workspace.name])}?runs={','.join(run.run_id for run in runs)}")

    page.get_by_role("link", name="Take Run 5 out").click()
    expect(page.get_by_role("link", name="Take Run 5 out")).to_have_count(0)
    page.get_by_label("With").select_option(label="Run 4")
    page.get_by_role("button", name="Show").last.click()
    expect(page.get_by_text("RATE = 0.04")).to_be_visible()
    page.get_by_role("link", name="Only what differs").click()

    expect(page.get_by_text("adam").first).to_be_visible()
    expect(page.get_by_text("RATE = 0.04")).to_be_visible()
    expect(page.locator("#compare thead th")).to_have_count(4)
