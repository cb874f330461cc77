"""The API's documentation works offline, under the site's own content security policy."""

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_documentation_shows_the_operations(page_for):
    page = page_for(None)

    page.goto("/api/v1/docs")

    expect(page.locator(".opblock").nth(30)).to_be_visible(timeout=120_000)
    expect(page.locator(".opblock-summary-path").first).to_be_visible()
