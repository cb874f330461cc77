"""A real browser for the journeys, watched for what it must never do."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

PICTURES = Path(__file__).resolve().parents[2] / "test-results" / "screenshots"
# What is tested is that it comes; how soon is for the benchmarks to say, and depends on what else runs.
WAIT_MILLISECONDS = 30_000
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# An init script: half a second between a question of a page's scripts and its way to the server; `data-asked` has it.
SLOW_LINE = """
const ask = window.fetch;
window.fetch = (...question) => {
  document.documentElement.dataset.asked = question[0];
  return new Promise((done) => setTimeout(done, 500)).then(() => ask(...question));
};
"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    # Playwright's synchronous interface keeps an event loop in this thread, which Django takes for an async view.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    expect.set_options(timeout=WAIT_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page_for(browser: Browser, live_server: Any) -> Iterator[Callable[..., Page]]:
    """A page in which the given user is signed in; keywords are those of a browser context.

    At the end of the test no page may have broken the content security policy, thrown an
    error, or asked another host for anything.
    """
    contexts: list[BrowserContext] = []
    watches: list[Watch] = []

    def open_page(user: User | None, **options: Any) -> Page:
        # Without motion: a color that is on its way to another one is neither.
        context = browser.new_context(base_url=live_server.url, **{"reduced_motion": "reduce", **options})
        context.set_default_timeout(WAIT_MILLISECONDS)
        contexts.append(context)
        if user is not None:
            client = Client()
            client.force_login(user)
            session = client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
        page = context.new_page()
        watches.append(Watch(page, live_server.url))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [fault for watch in watches for fault in watch.faults] == []


class Watch:
    """What a page did that it must never do: break the content security policy, throw, ask another host."""

    def __init__(self, page: Page, own: str) -> None:
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(f"script error: {error}"))
        page.on("console", lambda line: _is_fault(line.text) and self.faults.append(line.text))
        page.on("request", lambda request: _is_foreign(request.url, own) and self.faults.append(request.url))


def _is_fault(text: str) -> bool:
    return "Content Security Policy" in text or "Refused to" in text


def _is_foreign(url: str, own: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != urlsplit(own).netloc


def shoot(page: Page, name: str) -> None:
    """Keep a picture of the whole page, from its top, among the results of the tests."""
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


@pytest.fixture(name="shoot")
def shoot_fixture() -> Callable[[Page, str], None]:
    """The keeper of pictures."""
    return shoot
