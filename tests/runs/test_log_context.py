"""Every line of the server's logs about a run names it, as text and as JSON."""

import json
import logging
import threading

import pytest

from runs import log_context


@pytest.fixture
def lines(caplog, monkeypatch):
    """Return what has been logged, as both formatters write it."""
    monkeypatch.setattr(log_context, "_process", {})
    log_context.begin()  # an earlier test in this thread may have been about a run
    caplog.handler.addFilter(log_context.ContextFilter())
    text, as_json = logging.Formatter("{name}{context} {message}", style="{"), log_context.JsonFormatter()
    return lambda: [(text.format(record), json.loads(as_json.format(record))) for record in caplog.records]


def test_a_line_names_its_run(lines):
    with log_context.about(run_id="a_1"), log_context.about(attempt=2):
        logging.getLogger("x").warning("it %s", "broke")

    [(text, document)] = lines()
    assert text == "x run_id=a_1 attempt=2 it broke"
    assert (document["run_id"], document["attempt"], document["message"]) == ("a_1", 2, "it broke")
    assert (document["level"], document["logger"]) == ("WARNING", "x")
    assert document["at"].endswith("+00:00")


def test_what_comes_after_is_about_nothing(lines):
    with log_context.about(run_id="a_1"):
        pass

    logging.getLogger("x").warning("elsewhere")

    assert lines()[0][0] == "x elsewhere"


def test_every_thread_of_a_supervisor_is_about_its_attempt(lines):
    log_context.set_for_process(run_id="a_1", attempt=1)

    thread = threading.Thread(target=lambda: logging.getLogger("x").warning("heard"))
    thread.start()
    thread.join()

    assert lines()[0][0] == "x run_id=a_1 attempt=1 heard"


def test_a_traceback_is_one_line_of_json(lines):
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("x").exception("bad")

    assert lines()[0][1]["exception"].endswith("ValueError: two\nlines")


def test_a_request_is_about_the_run_of_its_address(lines, client, db):
    client.get("/api/v1/runs/a_1")  # refused, and logged by Django

    assert [document.get("run_id") for _, document in lines()] == ["a_1"]
