"""Two hundred people read one log while it grows and the web server is killed: each gets every byte once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.journeys.product import ANSWER_SECONDS, Api, eventually, running, submit, wait_for_status

pytestmark = [pytest.mark.journey, pytest.mark.process, pytest.mark.redis, pytest.mark.slow]

READER_COUNT = 200
LOG = "logs/user_logs/std_log.txt"
SCRIPT = b"""
import os, sys, time
number = 0
while not os.path.exists(sys.argv[1]):  # until it is let go
    print("line", number, flush=True)
    number += 1
    time.sleep(0.1)
print("end")
"""


def test_two_hundred_readers_of_a_log_get_it_whole_across_a_death_of_the_web_server(tmp_path: Path) -> None:
    with running(tmp_path / "home") as product:
        product.wait_until_ready()
        api = Api(product)
        run_id = submit(api, SCRIPT, arguments=[str(tmp_path / "go")])
        eventually(lambda: "line 3\n" in api.get(f"/api/v1/runs/{run_id}/{LOG}").text)

        # In a thread of its own: a browser of another test may keep an event loop in this one.
        with ThreadPoolExecutor(1) as thread:
            read = thread.submit(asyncio.run, _read_while_it_dies(product, api, run_id, tmp_path / "go")).result()

        wait_for_status(api, run_id, "Completed")
        whole = api.get(f"/api/v1/runs/{run_id}/{LOG}").content
        assert whole.endswith(b"end\n")
        assert read == [whole] * READER_COUNT


async def _read_while_it_dies(product, api, run_id, go) -> list[bytes]:
    limits = httpx.Limits(max_connections=READER_COUNT)
    async with httpx.AsyncClient(headers=api._headers, limits=limits, timeout=ANSWER_SECONDS) as client:
        url = f"{product.address}/api/v1/runs/{run_id}/{LOG}"
        readers = [asyncio.create_task(_read(client, url)) for _ in range(READER_COUNT)]
        await asyncio.sleep(2)
        page = await client.get(f"{product.address}/api/v1/runs")
        assert page.status_code == 200
        product.parts()["studio-web"].kill()
        await asyncio.sleep(2)
        go.touch()
        return await asyncio.gather(*readers)


async def _read(client: httpx.AsyncClient, url: str) -> bytes:
    """Read on from where the log was left, as the page and the client do, until its last line."""
    text = b""
    while not text.endswith(b"end\n"):
        try:
            answer = await client.get(url, headers={"Range": f"bytes={len(text)}-"})
        except httpx.TransportError:  # it is being started again
            answer = None
        if answer is not None and answer.status_code == 206:
            text += answer.content
        await asyncio.sleep(1)
    return text
