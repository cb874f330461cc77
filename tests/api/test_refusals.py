"""Every refusal has one form, and says what was expected."""

import pytest
from django.db import InternalError, OperationalError

from tests import factories


@pytest.fixture
def api(api_for, owner, experiment):
    return api_for(owner)


def error(answer):
    assert set(answer.json()) == {"error"}
    assert set(answer.json()["error"]) == {"code", "message", "field"}
    assert answer["Content-Type"] == "application/json"
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("path", ["/nothing", "/runs/", "/runs/x/y", "/experiments/a/b/c", "/docs/x"])
def test_an_address_that_is_none_is_not_found(path, api):
    assert error(api.get(path)) == (404, "not_found")


def test_the_root_is_no_address(api):
    assert error(api.get("/")) == (404, "not_found")


def test_a_wrong_method_names_the_right_ones(api):
    answer = api.send("delete", "/runs")

    assert error(answer) == (405, "method_not_allowed")
    assert set(answer["Allow"].split(", ")) == {"GET", "POST"}


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff\xfe", b"[" * 100_000, b'{"name": "\\u0000"}', b'{"name": "\\ud800"}', b'{"a": {"\\udfff": [1]}}'],
)
def test_a_body_that_cannot_be_read_is_bad_json(body, api):
    answer = api.client.post("/api/v1/experiments", body, "application/json", headers=api.headers)

    assert error(answer) == (400, "bad_json")


@pytest.mark.parametrize("body", [[], "text", 1, None])
def test_a_body_that_is_no_object_is_refused(body, api):
    assert error(api.send("post", "/experiments", body)) == (422, "invalid")


def test_a_missing_field_is_named(api):
    answer = api.post("/experiments", {})

    assert error(answer) == (422, "invalid")
    assert answer.json()["error"]["field"] == "name"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x", "tags": {"a": ["list"]}}, "tags.a"),
        ({"name": "x", "more": 1}, "more"),
        ({"name": 1}, "name"),
        ({"name": "a\nb"}, "experiment"),
        ({"name": " a"}, "experiment"),
        ({"name": ".."}, "experiment"),
        ({"name": "x" * 501}, "experiment"),
        ({"name": "x", "description": "y" * 50_001}, "description"),
        ({"name": "x", "tags": {"k" * 251: "v"}}, "tags"),
        ({"name": "x", "tags": {"k": "v" * 8_001}}, "tags.k"),
        ({"name": "x", "tags": {str(number): "" for number in range(501)}}, "tags"),
    ],
)
def test_the_field_at_fault_is_named(body, field, api):
    answer = api.post("/experiments", body)

    assert error(answer) == (422, "invalid")
    assert answer.json()["error"]["field"] == field


def test_a_body_that_is_too_large_is_refused(api, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100

    assert error(api.post("/experiments", {"name": "x" * 200})) == (413, "too_large")


def test_a_form_that_is_too_large_is_refused_before_it_is_read(api, settings):
    settings.STUDIO_SNAPSHOT_BYTES = -(16 << 19)

    assert error(api.submit({"experiment": "e"}, b"zip")) == (413, "too_large")


def test_a_form_with_too_many_parts_is_refused(api):
    answer = api.client.post("/api/v1/runs", {f"x{number}": "1" for number in range(2_000)}, headers=api.headers)

    assert error(answer) == (400, "bad_request")


def test_a_broken_form_is_refused(api):
    answer = api.client.generic(
        "POST", "/api/v1/runs", b"--x\r\nno", "multipart/form-data; boundary=", headers=api.headers
    )

    assert error(answer) == (400, "bad_request")


def test_a_nul_in_an_address_finds_nothing(api):
    assert error(api.get("/runs/a%00b")) == (404, "not_found")
    assert error(api.get("/runs?workspace=a%00b")) == (422, "invalid")


@pytest.mark.parametrize("kind", [OperationalError, InternalError])
def test_a_database_that_is_busy_asks_to_come_again(api, monkeypatch, kind):
    def busy(runs):
        raise kind("database is locked")

    monkeypatch.setattr("runs.shapes.run_documents", busy)

    answer = api.get("/runs")

    assert error(answer) == (503, "unavailable")
    assert answer["Retry-After"] == "1"


def test_a_mistake_of_ours_tells_nothing(api, monkeypatch, caplog):
    def broken(runs):
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr("runs.shapes.run_documents", broken)

    answer = api.get("/runs")

    assert error(answer) == (500, "internal")
    assert "hunter2" not in answer.content.decode()
    assert "hunter2" in caplog.text


def test_a_run_of_another_workspace_is_as_one_that_is_not_there(api, stranger):
    elsewhere = factories.experiment(stranger.workspaces.get())
    run = factories.run(elsewhere, by=stranger)

    there, nowhere = api.get(f"/runs/{run.run_id}"), api.get("/runs/nowhere")

    assert error(there) == error(nowhere) == (404, "not_found")
    assert there.json()["error"]["message"].replace(run.run_id, "") == nowhere.json()["error"]["message"].replace(
        "nowhere", ""
    )
