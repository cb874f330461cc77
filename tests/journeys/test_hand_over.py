"""`studio login` with a real browser: the answer to the form leads from the site to a port of this machine."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page

from runs.actions import tokens
from tests import factories
from tests.journeys.conftest import WAIT_MILLISECONDS

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "sdk"))

from studio_sdk.cli import hand_over  # noqa: E402

pytestmark = [pytest.mark.browser, pytest.mark.journey, pytest.mark.slow]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in which nobody is signed in; it may break no policy."""
    context = browser.new_context()
    context.set_default_timeout(WAIT_MILLISECONDS)
    faults: list[str] = []
    page = context.new_page()
    page.on("console", lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None)
    yield page
    context.close()
    assert not faults


@pytest.mark.django_db(transaction=True)
def test_a_person_signs_in_and_lets_the_command_line_in(
    page: Page, live_server, monkeypatch, shoot: Callable[[Page, str], None]
) -> None:
    factories.member(factories.workspace("default"), factories.user("olivia"))
    opened: Queue[str] = Queue()
    monkeypatch.setattr(hand_over.webbrowser, "open", lambda address: opened.put(address) or True)

    with ThreadPoolExecutor() as pool:
        asked = pool.submit(hand_over.ask, live_server.url, wait_seconds=120)
        page.goto(opened.get(timeout=60))
        page.get_by_label("User name").fill("olivia")
        page.get_by_label("Password").fill("secret")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_text("asks for an API token").wait_for()
        shoot(page, "hand-over")
        page.get_by_role("button", name="Let it in").click()
        page.get_by_text("You can close this page").wait_for()
        secret = asked.result(timeout=60)

    found = tokens.authenticate(secret, at=timezone.now())
    assert found is not None
    assert found.user.username == "olivia"
    assert page.url.startswith("http://127.0.0.1:")
    assert secret not in page.url
