"""The API's documentation works offline, under the site's own content security policy."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_documentation_shows_the_operations(page_for):
    page = page_for(None)

    page.goto("/api/v1/docs")

    page.locator(".opblock").nth(30).wait_for(timeout=120_000)
    page.locator(".opblock-summary-path").first.wait_for()
