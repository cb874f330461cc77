"""A walk through all rooms of the studio: in light and dark, on a desktop and on a phone, with scripts and without.

One product and one browser serve the whole file, and what is looked at came into it by its own doors: a demo, and
scripts that the client submitted from a git repository and a worker ran. Each walk leaves pictures in
test-results/screenshots: they are there to be looked at.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import WAIT_MILLISECONDS, Watch, shoot
from tests.journeys.product import Api, Product, running, wait_for_status

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.slow]

EXPERIMENT = "/w/default/experiments/churn/"
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
WALKS = {
    "desktop-light": {"viewport": DESKTOP, "color_scheme": "light"},
    "desktop-dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone-light": {"viewport": PHONE, "color_scheme": "light"},
    "phone-dark": {"viewport": PHONE, "color_scheme": "dark"},
    "desktop-light-noscript": {"viewport": DESKTOP, "color_scheme": "light", "java_script_enabled": False},
    "phone-dark-noscript": {"viewport": PHONE, "color_scheme": "dark", "java_script_enabled": False},
}
TRAIN = '''
"""Log something of every kind, and write files of every kind."""
import json, math, pathlib, struct, sys, time, zlib

import duckdb
from azureml.core import Run

alpha = float(sys.argv[2])
run = Run.get_context()
outputs = pathlib.Path("outputs")
outputs.mkdir(exist_ok=True)


def picture(step):
    pixels = b"".join(b"\\0" + bytes((x * step + y) % 256 for x in range(96)) for y in range(64))
    head = struct.pack(">IIBBBBB", 96, 64, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")]
    packed = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\\x89PNG\\r\\n\\x1a\\n" + packed


for step in range(400):
    run.log("loss", alpha + math.exp(-step / 90) + (5 if step == 222 else 0), step=step)
    run.log("accuracy", 1 - math.exp(-step / 120), step=step)
    print(f"\\x1b[32mstep {step}\\x1b[0m of 400")
run.log("diverged", math.nan)
run.log_confusion_matrix("confusion", {"schema_type": "confusion_matrix", "schema_version": "1.0.0", "data": {
    "class_labels": ["cat", "dog"], "matrix": [[30, 2], [4, 21]]}})
for step in (1, 3, 5):
    (outputs / f"picture{step}.png").write_bytes(picture(step))
    run.log_image("samples", path=str(outputs / f"picture{step}.png"))
duckdb.sql("COPY (SELECT range AS id, range / 3.0 AS score FROM range(1000)) TO 'outputs/scores.parquet'")
(outputs / "scores.csv").write_text("alpha,mse\\n0.1,3\\n")
(outputs / "notes.md").write_text("# Notes\\n\\n**Bold** words.\\n")
(outputs / "page.html").write_text("<h1>A page</h1>")
(outputs / "tries.ipynb").write_text(json.dumps({"nbformat": 4, "cells": [
    {"cell_type": "code", "source": ["1 + 1"], "execution_count": 1, "outputs": [
        {"output_type": "execute_result", "data": {"text/plain": ["2"]}}]}]}))
time.sleep(4.5)
'''


class Studio(NamedTuple):
    """The product, who may enter, and the runs that the walks look at."""

    product: Product
    state: Any
    first: str
    second: str
    waiting: str


class Walk(NamedTuple):
    """One way to look: its name, its page, and whether scripts run in it."""

    name: str
    page: Page
    has_scripts: bool

    def shoot(self, name: str) -> None:
        """Keep a picture, and see that the page is no wider than its window."""
        shoot(self.page, f"{name}-{self.name}")
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.fixture(scope="module")
def studio(tmp_path_factory, browser: Browser) -> Iterator[Studio]:
    """A product with a demo, two runs of one script that differ, and one that waits."""
    folder = tmp_path_factory.mktemp("studio")
    with running(folder / "home", "--targets", "local", STUDIO_MONITOR_SECONDS="1") as product:
        product.wait_until_ready()
        assert product.manage("seed_demo", "--runs", "240", "--seed", "7").returncode == 0
        assert product.manage("compute_target", "create", "gpu-compute").returncode == 0
        api = Api(product)
        repository(folder / "code")
        token = product.manage("create_token", "admin").stdout.strip()
        first, second, waiting = [
            submit(product, folder / "code", token, target, alpha)
            for target, alpha in (("local", 0.1), ("local", 0.2), ("gpu-compute", 0.3))
        ]
        context = browser.new_context(base_url=product.address)
        page = context.new_page()
        page.goto(product.link)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/w/default/")
        for run in (first, second):
            wait_for_status(api, run, "Completed", seconds=60)
        yield Studio(product, context.storage_state(), first, second, waiting)
        context.close()


def repository(folder: Path) -> None:
    """Make a git repository whose script was changed since its commit."""
    folder.mkdir()
    (folder / "train.py").write_text(TRAIN.replace("/ 90", "/ 80"))
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
        subprocess.run(["git", *identity, *words], cwd=folder, check=True)
    (folder / "train.py").write_text(TRAIN)


def submit(product: Product, folder: Path, token: str, target: str, alpha: float) -> str:
    """Submit the script by the client; return the run's id."""
    code = (
        "from studio_sdk.core import Experiment, ScriptRunConfig, Workspace\n"
        "config = ScriptRunConfig('.', 'train.py', arguments=['--alpha', {alpha}], compute_target='{target}')\n"
        "print(Experiment(Workspace.get('default'), 'walk').submit(config).id)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code.format(alpha=alpha, target=target)],
        cwd=folder,
        env={**os.environ, "STUDIO_URL": product.address, "STUDIO_TOKEN": token},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(params=WALKS)
def walk(request, studio: Studio, browser: Browser) -> Iterator[Walk]:
    """A signed-in page for each way to look. It breaks no rule of the site while it is open."""
    options = WALKS[request.param]
    context = browser.new_context(base_url=studio.product.address, storage_state=studio.state, **options)
    context.set_default_timeout(WAIT_MILLISECONDS)
    page = context.new_page()
    watch = Watch(page, studio.product.address)
    yield Walk(request.param, page, options.get("java_script_enabled", True))
    context.close()
    assert not watch.faults


def test_1_an_experiment_is_charted_filtered_and_kept_as_a_view(walk):
    page = walk.page
    page.goto(f"{EXPERIMENT}?chart=line.step.auc&chart=scatter.number.auc")
    walk.shoot("1-experiment")

    page.get_by_role("link", name=re.compile("Child runs of")).first.click()
    page.locator("tr.is-child").first.wait_for()
    page.locator("#views > summary").click()
    page.get_by_label("Save this view as").fill(walk.name)
    page.get_by_role("button", name="Save view").click()
    page.get_by_text(f"Saved the view {walk.name}.").wait_for()
    walk.shoot("1-view-with-tree")
    page.get_by_role("link", name=re.compile("Failed")).first.click()
    page.wait_for_url("**/churn/failed/**")

    assert page.locator("#run-table tbody tr").count() > 0


def test_2_runs_are_searched_and_a_mistake_is_pointed_at(walk):
    page = walk.page
    page.goto("/w/default/pipelines/")
    page.locator("#q").fill("stauts:failed")
    page.locator("#q").press("Enter")
    page.locator("#search-error").get_by_text("status", exact=False).first.wait_for()
    walk.shoot("2-search-mistake")

    page.locator("#q").fill("experiment:walk (has:params.none OR metrics.loss.min<0.3)")
    page.locator("#q").press("Enter")
    page.locator("#run-table").get_by_role("link", name="Run 1", exact=True).wait_for()
    walk.shoot("2-search")

    assert "metrics.loss.min" in page.url


def test_3_metrics_are_chosen_and_scaled(walk, studio):
    page = walk.page
    page.goto(f"/runs/{studio.first}/metrics/")
    page.locator("figure svg:visible, figure canvas:visible").first.wait_for()
    walk.shoot("3-metrics")

    page.get_by_label("Log scale").check()
    page.get_by_label("One chart").check()
    if not walk.has_scripts:
        page.get_by_role("button", name="Show").last.click()
    page.wait_for_url("**together=1**")
    page.locator("#together").wait_for()
    walk.shoot("3-one-chart-log")

    expect(page.get_by_text("801 of 801 points").first).to_be_visible()
    expect(page.get_by_text("× is no number").first).to_be_visible()
    expect(page.get_by_role("heading", name="confusion")).to_be_visible()


def test_4_what_a_run_was_busy_with(walk, studio):
    page = walk.page
    page.goto(f"/runs/{studio.first}/monitoring/")

    expect(page.get_by_role("heading", name="Memory").first).to_be_visible()
    expect(page.get_by_text("packages, as the worker found them")).to_be_visible()
    walk.shoot("4-monitoring")


def test_5_files_code_and_documents(walk, studio):
    page = walk.page
    page.goto(f"/runs/{studio.first}/images/")
    expect(page.get_by_role("img", name="samples, step")).to_have_count(3)
    walk.shoot("5-images")
    page.goto(
        f"/runs/{studio.first}/outputs/?path=outputs/scores.parquet&file=outputs/notes.md&file=outputs/scores.csv"
    )
    expect(page.get_by_text("200 of 1,000 rows and 2 of 2 columns are shown.")).to_be_visible()
    walk.shoot("5-parquet")
    page.goto(f"/runs/{studio.first}/outputs/?path=outputs/tries.ipynb")
    walk.shoot("5-notebook")
    page.goto(f"/runs/{studio.first}/outputs/")
    expect(page.get_by_text("step 399 of 400")).to_be_visible()
    walk.shoot("5-log")
    page.goto(f"/runs/{studio.first}/snapshot/")
    page.get_by_role("link", name="Uncommitted changes").click()
    expect(page.get_by_text("+    run.log(")).to_be_visible()
    walk.shoot("5-patch")
    page.goto(f"/runs/{studio.first}/raw/")
    page.get_by_label("Search keys and values").fill("alpha")
    page.get_by_label("Search keys and values").press("Enter")
    expect(page.locator("mark").first).to_be_visible()
    walk.shoot("5-raw")

    with page.expect_download() as download:
        page.goto(f"/runs/{studio.first}/snapshot/?patch=1")
        page.get_by_role("link", name="Download patch").click()
    assert b"+    run.log(" in Path(download.value.path()).read_bytes()


def test_6_two_runs_are_compared(walk):
    page = walk.page
    page.goto("/w/default/experiments/walk/?q=status:completed")
    for tick in page.locator("#run-table tbody .tick").all()[:2]:
        tick.check()
    page.get_by_role("button", name="Compare").click()

    expect(page.get_by_text("0.2", exact=True).first).to_be_visible()
    walk.shoot("6-compare")


def test_7_a_run_is_changed_and_submitted_again(walk, studio):
    page = walk.page
    page.goto(f"/runs/{studio.first}/")
    walk.shoot("7-run")
    page.get_by_role("link", name="Edit and resubmit").click()
    page.get_by_label("Arguments").fill("--alpha 0.9")
    page.get_by_label("Compute target").select_option("gpu-compute")
    page.get_by_role("button", name="Review").click()
    page.locator("#resubmit-differences ins").first.wait_for()
    walk.shoot("7-differences")
    page.get_by_role("button", name="Submit").click()

    page.get_by_role("main").get_by_role("link", name="Run 1", exact=True).first.wait_for()
    page.get_by_role("link", name="Snapshot").click()
    expect(page.get_by_role("link", name="Uncommitted changes")).to_be_visible()


def test_8_why_a_run_waits(walk, studio):
    page = walk.page
    page.goto(f"/runs/{studio.waiting}/")

    expect(page.get_by_text("No worker is listening on gpu-compute", exact=False).first).to_be_visible()
    walk.shoot("8-waiting")


def test_9_a_run_goes_to_the_trash_and_comes_back(walk):
    page = walk.page
    page.goto(f"{EXPERIMENT}?q=status:completed+parent:none")
    page.locator("#run-table .lead a.clip").first.click()
    page.wait_for_url("**/runs/**")
    title = page.get_by_role("heading", level=1).inner_text()
    page.get_by_role("button", name="Delete").click()
    if walk.has_scripts:
        page.get_by_role("dialog").get_by_role("button", name="Yes").click()
    page.wait_for_url("**/experiments/churn/")
    page.goto("/w/default/trash/")
    walk.shoot("9-trash")
    page.get_by_role("button", name=f"Restore {title}", exact=True).click()
    page.get_by_text("Restored").first.wait_for()

    page.get_by_label("Query: which ended runs").fill(f"status:failed tags.walk:{walk.name}")
    page.get_by_role("button", name="Add rule").click()
    page.get_by_role("link", name=re.compile(f"Dry run.*{walk.name}$")).click()
    expect(page.get_by_text("Nothing was changed.")).to_be_visible()
    walk.shoot("9-dry-run")


def test_10_all_runs_home_and_compute(walk):
    page = walk.page
    for name, address in (("home", "/"), ("experiments", "/w/default/experiments/"), ("compute", "/compute/")):
        page.goto(address)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        walk.shoot(f"10-{name}")


def test_12_the_pattern_page(walk):
    page = walk.page
    page.goto("/styles/")

    expect(page.get_by_role("heading", name="Styles")).to_be_visible()
    walk.shoot("12-styles")
    if walk.has_scripts:
        found = Axe().run(page).response["violations"]
        assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found] == []
