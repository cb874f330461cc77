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
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    # Playwright's synchronous interface keeps an event loop in this thread, which Django takes for an async view.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
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
    contexts, faults = [], []

    def open_page(user: User | None, **options: Any) -> Page:
        context = browser.new_context(base_url=live_server.url, **options)
        context.set_default_timeout(10_000)
        contexts.append(context)
        if user is not None:
            client = Client()
            client.force_login(user)
            session = client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(f"script error: {error}"))
        page.on("console", lambda line: _is_fault(line.text) and faults.append(line.text))
        page.on("request", lambda request: _is_foreign(request.url, live_server.url) and faults.append(request.url))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults


def _is_fault(text: str) -> bool:
    return "Content Security Policy" in text or "Refused to" in text


def _is_foreign(url: str, own: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != urlsplit(own).netloc


@pytest.fixture
def shoot() -> Callable[[Page, str], None]:
    """Keep a picture of the whole page under the folder STUDIO_SCREENSHOTS, if it is set."""
    folder = os.environ.get("STUDIO_SCREENSHOTS")

    def shoot(page: Page, name: str) -> None:
        if folder:
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    return shoot
