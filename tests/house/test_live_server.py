"""The live server of the tests: nothing of it is left to the next test."""

import time
from urllib.request import urlopen

import pytest
from django.core.signals import request_finished
from django.db import connection


@pytest.fixture(scope="module")
def endings():
    """How the requests of the tests below ended; looked at after the last of them."""
    said = []

    def end_slowly(**_):
        time.sleep(0.3)
        try:
            connection.ensure_connection()
        except RuntimeError as error:
            said.append(str(error))
        else:
            said.append("with the database")
        finally:
            connection.close()

    request_finished.connect(end_slowly)
    yield
    request_finished.disconnect(end_slowly)
    assert said == ["with the database"]


def test_a_test_ends_after_the_last_answer(endings, live_server):
    with urlopen(f"{live_server.url}/healthz") as answer:
        assert answer.read() == b"ok\n"
