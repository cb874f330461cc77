"""The main job from end to end: the product's own command, a real browser, real scripts."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.product import Api, Product, eventually, running, seconds_between

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.slow]

GRACE_SECONDS = 2
STUBBORN = '''
"""Ignores SIGTERM, and leaves a child and a daemon in sessions of their own that ignore it too."""
import os, signal, subprocess, sys, time

signal.signal(signal.SIGTERM, signal.SIG_IGN)
word = sys.argv[1]
if "descendant" in sys.argv:
    time.sleep(600)
subprocess.Popen([sys.executable, __file__, word, "descendant"], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    os.execve(sys.executable, [sys.executable, __file__, word, "descendant", "orphan"], {})

from azureml.core import Run

for step in range(600):
    print("step", step, flush=True)
    Run.get_context().log("loss", 1 / (step + 1))
    time.sleep(0.2)
'''


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    """A running product whose canceled scripts get two seconds of grace."""
    with running(tmp_path / "home", is_first=True, STUDIO_GRACE_SECONDS=str(GRACE_SECONDS)) as product:
        product.wait_until_ready()
        yield product


@pytest.fixture
def page(product: Product, browser: Browser) -> Iterator[Page]:
    """A page in which `admin` is signed in by the link that the product printed."""
    context = browser.new_context(base_url=product.address)
    page = context.new_page()
    page.goto(product.link)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Nothing has run here yet")).to_be_visible()
    yield page
    context.close()


def test_a_script_is_submitted_watched_found_and_canceled(page: Page, product: Product) -> None:
    word = uuid.uuid4().hex
    page.goto("/w/default/new-run/")
    page.get_by_label("Experiment").fill("stubborn")
    page.get_by_label("Files").set_input_files(
        {"name": "train.py", "mimeType": "text/x-python", "buffer": STUBBORN.encode()}
    )
    page.get_by_label("Arguments").fill(word)
    page.get_by_label("Tags").fill("quality=fantastic run")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", name="Run 1")).to_be_visible()

    page.get_by_role("link", name="Outputs + logs").click()
    expect(page.get_by_text("step 3", exact=True)).to_be_visible(timeout=60_000)
    expect(page.get_by_text("step 9", exact=True)).to_be_visible()
    eventually(lambda: len(processes_with(word)) == 3, about=lambda: str(processes_with(word)))

    page.goto("/w/default/pipelines/")
    page.locator("input[name=q]").fill('tags.quality:"fantastic run"')
    page.locator("input[name=q]").press("Enter")
    page.wait_for_url("**/?q=tags*")
    page.get_by_role("main").get_by_role("link", name="Run 1", exact=True).or_(
        page.get_by_role("main").get_by_role("link", name="1", exact=True)
    ).first.click()
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_role("main").get_by_text("Canceled", exact=True).first).to_be_visible()

    assert processes_with(word) == []
    [run] = Api(product).get("/api/v1/runs").json()["items"]
    assert seconds_between(run["cancel_requested_utc"], run["end_time_utc"]) < GRACE_SECONDS + 2


def test_the_example_with_packages_of_its_own_runs_from_the_page(page: Page) -> None:
    page.goto("/w/default/new-run/")
    card = page.get_by_role("heading", name="Diabetes, ridge regression").locator("xpath=..")
    card.get_by_role("button", name="Run").click()
    status = page.get_by_role("main").get_by_text("Completed", exact=True).first
    expect(status).to_be_visible(timeout=300_000)
    expect(page.locator("#run-details[hx-get]")).to_have_count(0)  # nothing is exchanged under what is typed
    page.get_by_placeholder("key", exact=True).fill("quality")
    page.get_by_placeholder("value, or none").fill("great")
    page.get_by_role("button", name="Add tag").click()
    expect(page.get_by_label("quality", exact=True)).to_have_value("great")

    page.get_by_role("link", name="Metrics", exact=True).click()
    expect(page.get_by_text("20 of 20 points").first).to_be_visible()
    page.get_by_role("link", name="Outputs + logs").click()
    expect(page.get_by_role("link", name="model.pkl")).to_be_visible()
    page.goto("/w/default/pipelines/?q=tags.quality:great")
    expect(page.get_by_role("main").get_by_role("row")).to_have_count(2)


def processes_with(word: str) -> list[str]:
    """Return the processes whose command line holds `word`."""
    found: Callable[[psutil.Process], list[str]] = lambda process: process.info["cmdline"] or []  # noqa: E731
    return [" ".join(found(process)) for process in psutil.process_iter(["cmdline"]) if word in found(process)]
