"""The example pipeline as a newcomer meets it: drawn on the canvas, from its file, from Python; then reused."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.product import ROOT, Api, Product, running, seconds_between

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.slow]

# The first run installs scikit-learn and matplotlib.
LONG = 300
WIRES = [
    ("prepare", "Output: table", "train", "Input: table"),
    ("train", "Output: model", "compare", "Input: models"),
    ("compare", "Output: result", "report", "Input: result"),
]


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    with running(tmp_path / "home") as product:
        product.wait_until_ready()
        yield product


@pytest.fixture
def page(product: Product, browser: Browser) -> Iterator[Page]:
    """A page in which `admin` is signed in by the link that the product printed."""
    context = browser.new_context(base_url=product.address, viewport={"width": 1366, "height": 1000})
    page = context.new_page()
    page.goto(product.link)
    page.get_by_role("button", name="Sign in").click()
    yield page
    context.close()


@pytest.fixture
def shell(product: Product, tmp_path: Path) -> Callable[..., str]:
    """Run a program in a copy of the example's folder, as somebody who attached it to the workspace."""
    folder = shutil.copytree(ROOT / "examples/wine_pipeline", tmp_path / "wine")
    token = product.manage("create_token", "admin").stdout.strip()
    environment = {**os.environ, "STUDIO_URL": product.address, "STUDIO_TOKEN": token, "HOME": str(tmp_path)}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "studio_sdk.cli", *arguments]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LONG)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("folder", "attach", "-w", "default")
    return run


def test_three_ways_lead_to_one_result_and_a_second_run_is_there_at_once(
    product: Product, page: Page, shell: Callable[..., str]
) -> None:
    api = Api(product)

    draw(page)
    page.get_by_role("link", name="Run", exact=True).click()
    page.get_by_label("New experiment").fill("by-canvas")
    page.locator("#run-dialog").get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/graph/")
    expect(page.locator("#run-head")).to_contain_text("Completed", timeout=LONG * 1000)
    shell("pipeline", "run", "-y", "pipeline.yml", "-e", "by-file", "--regenerate-outputs")
    shell("exec", "--", sys.executable, "pipeline.py", "--experiment", "by-python", "--regenerate-outputs")

    runs = [run_of(api, experiment) for experiment in ("by-canvas", "by-file", "by-python")]
    assert [[step["reused_from"] for step in run["steps"]] for run in runs] == [[None] * 6] * 3
    canvas, file, python = [scores(api, run) for run in runs]
    assert canvas == file == python
    assert {each["model"] for each in canvas} == {"logistic", "forest", "neighbors"}
    assert all(0.8 < each["f1"] <= 1 for each in canvas)

    # The answer itself says that it is over.
    again = api.post("/api/v1/pipelines/runs", json={"experiment": "again", "definition": runs[2]["definition"]})
    assert again.json()["status"] == "Completed", again.text
    assert seconds_between(again.json()["created_utc"], again.json()["end_time_utc"]) < 1.5
    reused = [step["reused_from"] for step in again.json()["steps"]]
    assert reused == [step["run_id"] for step in runs[2]["steps"]]


def draw(page: Page) -> None:
    """Take the example's steps from the palette, and draw the lines between them."""
    page.goto("/w/default/pipelines/drafts/")
    page.get_by_role("button", name="New pipeline").first.click()
    page.get_by_label("Search steps").fill("wine")
    for name in ("prepare", "train", "compare", "report"):
        page.get_by_role("button", name=f"wine / {name}").click()
        expect(page.locator(f'.node[data-step="{name}"]')).to_be_visible()
    for source, output, target, into in WIRES:
        start = page.locator(f'.node[data-step="{source}"]').get_by_role("button", name=output)
        start.drag_to(page.locator(f'.node[data-step="{target}"]').get_by_role("button", name=into))
    expect(page.locator(".wire")).to_have_count(3)
    page.locator(".canvas").press("Escape")
    page.locator("#pipeline-pane").get_by_label("Default compute target").select_option("local")
    expect(page.locator("#draft-problems")).to_be_hidden()
    expect(page.locator("#draft-status")).to_have_text("Draft saved")


def run_of(api: Api, experiment: str) -> dict:
    """Return the one pipeline run of an experiment, with its steps."""
    [whole] = api.get(f"/api/v1/runs?experiment={experiment}").json()["items"]
    return api.get(f"/api/v1/pipelines/runs/{whole['run_id']}").json()


def scores(api: Api, run: dict) -> list[dict]:
    """Return what the step that compares left."""
    [compare] = [step for step in run["steps"] if step["name"] == "compare"]
    return api.get(f"/api/v1/runs/{compare['run_id']}/artifacts/outputs/result/scores.json").json()
