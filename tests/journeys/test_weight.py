"""What a first visit weighs, as the product's own server sends it: page, styles, scripts and icons, compressed."""

import re
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from tests.journeys.product import ANSWER_SECONDS, running

pytestmark = [pytest.mark.journey, pytest.mark.process, pytest.mark.redis, pytest.mark.slow]

# Bytes in all, and of these of scripts.
BUDGET, SCRIPTS = 60_000, 20_000
PARTS = re.compile(r'<(?:link [^>]*href|script [^>]*src|img [^>]*src|use href)="([^"#]+)')


def fetch(client: httpx.Client, address: str) -> httpx.Response:
    """Return what a browser would get that takes everything compressed."""
    with client.stream("GET", address, headers={"Accept-Encoding": "gzip, deflate, br"}) as response:
        response.read()
    assert response.status_code == 200
    return response


def test_the_first_pages_are_light(tmp_path: Path) -> None:
    with running(tmp_path / "home") as product:
        product.wait_until_ready()
        with httpx.Client(base_url=product.address, follow_redirects=True, timeout=ANSWER_SECONDS) as client:
            signed_out = weigh(client, "/sign-in/")
            sign_in(client, product.link)
            home = weigh(client, "/")

    assert signed_out["all"] < BUDGET
    assert home["all"] < BUDGET
    assert home["scripts"] < SCRIPTS
    assert home["parts"] > 8


def sign_in(client: httpx.Client, link: str) -> None:
    page = client.get(link).text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    answer = client.post(link, data={"csrfmiddlewaretoken": token}, headers={"Referer": link})
    assert answer.status_code == 200


def weigh(client: httpx.Client, address: str) -> dict[str, int]:
    """Return how many bytes go over the wire for a page and for everything it names."""
    page = fetch(client, address)
    parts = {urljoin(str(page.url), part) for part in PARTS.findall(page.text)}
    sizes = {part: fetch(client, part).num_bytes_downloaded for part in parts}
    scripts = sum(size for part, size in sizes.items() if part.endswith(".js"))
    assert page.headers["Content-Encoding"] == "gzip"
    weight = page.num_bytes_downloaded + sum(sizes.values())
    return {"all": weight, "scripts": scripts, "parts": len(parts)}
