"""Take the pictures of the README from the running product: `python docs/screenshots.py`.

Starts the product in a folder of its own, fills it with a demo, runs an example for real,
and writes docs/screenshots/*.png. The pattern page, which is for who changes the look, goes
to test-results/styles-*.png: light and dark, desktop and phone. Needs tests/requirements.txt
and Chromium.
"""

import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import Page, expect, sync_playwright

from tests.journeys.product import running

FOLDER = Path(__file__).resolve().parent / "screenshots"
STYLES = FOLDER.parents[1] / "test-results"
PAGES = {
    "experiments": "/w/default/experiments/",
    "experiment": "/w/default/experiments/churn/",
    "run": "{run}",
    "metrics": "{run}metrics/",
    "logs": "{run}outputs/",
    "new-run": "/w/default/new-run/",
    "compute": "/compute/",
}


def main() -> None:
    """Take all pictures."""
    with (
        tempfile.TemporaryDirectory() as home,
        running(Path(home) / "home") as product,
        sync_playwright() as playwright,
    ):
        product.wait_until_ready()
        product.manage("seed_demo", "--runs", "400", "--seed", "7")
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        context = browser.new_context(base_url=product.address, viewport={"width": 1280, "height": 800})
        page = context.new_page()
        page.goto(product.link)
        page.get_by_role("button", name="Sign in").click()
        run = run_example(page)
        for name, address in PAGES.items():
            page.goto(address.format(run=run))
            page.screenshot(path=FOLDER / f"{name}.png")
        page.emulate_media(color_scheme="dark")
        page.goto(PAGES["experiment"])
        page.screenshot(path=FOLDER / "experiment-dark.png")
        for width, height in ((1280, 800), (390, 844)):
            page.set_viewport_size({"width": width, "height": height})
            for theme in ("light", "dark"):
                page.emulate_media(color_scheme=theme)
                page.goto("/styles/")
                page.screenshot(path=STYLES / f"styles-{width}-{theme}.png", full_page=True)
        browser.close()


def run_example(page: Page) -> str:
    """Run `diabetes_ridge` from its page; return the address of the run."""
    page.goto("/w/default/new-run/?example=diabetes_ridge")
    page.get_by_label("Tags").fill("quality=fantastic run")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("main").get_by_text("Completed", exact=True).first).to_be_visible(timeout=300_000)
    return page.url


if __name__ == "__main__":
    main()
