"""Bytes through the API: logs, artifacts, snapshots, in ranges and as streams."""

import io
import zipfile

import pytest

from runs import storage
from runs.actions import recording, snapshots
from runs.models import RunType
from runs.status import RunStatus
from tests import factories
from tests.api.conftest import zipped

LOG = "user_logs/std_log.txt"


@pytest.fixture(autouse=True)
def home(settings, tmp_path):
    settings.STUDIO_HOME = tmp_path


@pytest.fixture
def run(experiment, owner):
    return factories.run(experiment, by=owner, status=RunStatus.RUNNING)


@pytest.fixture
def log(run):
    storage.append_log(run.pk, LOG, b"".join(b"line %d\n" % number for number in range(100_000)), offset=0)
    return f"/runs/{run.run_id}/logs/{LOG}"


def body(answer):
    return b"".join(answer.streaming_content)


def test_logs_are_listed_with_their_sizes(api_for, owner, run, log):
    items = api_for(owner).get(f"/runs/{run.run_id}/logs").json()["items"]

    assert [(item["name"], item["size_bytes"]) for item in items] == [(LOG, 1_088_890)]


def test_a_log_is_sent_as_harmless_bytes(api_for, owner, run, log):
    answer = api_for(owner).get(log)

    assert (answer.status_code, len(body(answer))) == (200, int(answer["Content-Length"]))
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer["Content-Disposition"].startswith('attachment; filename="std_log.txt"')


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-3", b"line"),
        ("bytes=5-5", b"0"),
        ("bytes=-6", b"99999\n"),
        ("bytes=1088884-", b"99999\n"),
        ("bytes=1088884-9999999", b"99999\n"),
    ],
)
def test_a_range_of_a_log_is_sent(asked, expected, api_for, owner, log):
    answer = api_for(owner).get(log, Range=asked)

    assert (answer.status_code, body(answer)) == (206, expected)
    assert answer["Content-Range"].startswith("bytes ")
    assert answer["Content-Range"].endswith("/1088890")


def test_a_range_past_the_end_is_refused_with_the_size(api_for, owner, log):
    answer = api_for(owner).get(log, Range="bytes=1088890-")

    assert (answer.status_code, answer["Content-Range"]) == (416, "bytes */1088890")
    assert answer.json()["error"]["code"] == "range_not_satisfiable"


@pytest.mark.parametrize("asked", ["bytes=5-2", "bytes=-", "lines=1-2", "bytes=0-1,3-4", "bytes=a-b"])
def test_what_is_no_range_gets_the_whole(asked, api_for, owner, log):
    answer = api_for(owner).get(log, Range=asked)

    assert (answer.status_code, len(body(answer))) == (200, 1_088_890)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [(1, b"line 99999\n"), (2, b"line 99998\nline 99999\n")],
)
def test_the_tail_of_a_log_is_its_last_lines(lines, expected, api_for, owner, log):
    answer = api_for(owner).get(log, {"tail": lines})

    assert body(answer) == expected
    assert int(answer["Studio-Log-Offset"]) == 1_088_890 - len(expected)
    assert int(answer["Studio-Log-Size"]) == 1_088_890


@pytest.mark.parametrize(
    ("content", "lines", "expected"),
    [
        (b"", 5, b""),
        (b"a\nb", 1, b"b"),
        (b"a\nb", 2, b"a\nb"),
        (b"a\nb", 9, b"a\nb"),
        (b"\n\n", 1, b"\n"),
        (b"x" * 70_000 + b"\n" + b"y" * 70_000, 1, b"y" * 70_000),
        (b"x" * 70_000 + b"\n" + b"y" * 65_536, 1, b"y" * 65_536),
        (b"x" * 65_535 + b"\n" + b"y" * 65_535 + b"\n", 1, b"y" * 65_535 + b"\n"),
    ],
)
def test_a_tail_minds_missing_newlines_and_long_lines(content, lines, expected, api_for, owner, run):
    storage.append_log(run.pk, "logs/a.txt", content, offset=0)

    answer = api_for(owner).get(f"/runs/{run.run_id}/logs/logs/a.txt", {"tail": lines})

    assert body(answer) == expected


def test_a_tail_reads_no_more_than_a_few_megabytes(api_for, owner, run):
    storage.append_log(run.pk, "logs/a.txt", b"x" * (20 << 20), offset=0)

    answer = api_for(owner).get(f"/runs/{run.run_id}/logs/logs/a.txt", {"tail": 1})

    assert len(body(answer)) == 8 << 20


def test_an_artifact_is_stored_and_read_back(api_for, owner, run):
    api = api_for(owner)
    address = f"/runs/{run.run_id}/artifacts/outputs/modèle 1.bin"

    stored = api.put(address, b"weights" * 100_000)
    read = api.get(address)
    part = api.get(address, Range="bytes=0-6", **{"If-Range": read["ETag"]})
    changed = api.get(address, Range="bytes=0-6", **{"If-Range": '"older"'})

    assert (stored.status_code, stored.json()["size_bytes"]) == (201, 700_000)
    assert body(read) == b"weights" * 100_000
    assert (part.status_code, body(part)) == (206, b"weights")
    assert (changed.status_code, len(body(changed))) == (200, 700_000)
    assert "filename*=UTF-8''mod%C3%A8le%201.bin" in read["Content-Disposition"]
    assert [item["path"] for item in api.get(f"/runs/{run.run_id}/artifacts").json()["items"]] == [
        "outputs/modèle 1.bin"
    ]


@pytest.mark.parametrize("name", ["page.html", "image.svg", "script.js", "page.xhtml", "x.pdf", "none", "a.HTML"])
def test_what_a_browser_could_run_is_sent_as_bytes(name, api_for, owner, run, noon):
    recording.save_artifact(run=run, path=f"outputs/{name}", chunks=[b"<script>alert(1)</script>"], at=noon)

    answer = api_for(owner).get(f"/runs/{run.run_id}/artifacts/outputs/{name}")

    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert body(answer)


def test_an_artifact_is_replaced_unless_that_is_forbidden(api_for, owner, run):
    api = api_for(owner)
    address = f"/runs/{run.run_id}/artifacts/outputs/x"
    api.put(address, b"one")

    replaced = api.put(address, b"two")
    refused = api.put(address, b"three", **{"If-None-Match": "*"})

    assert (replaced.status_code, refused.status_code) == (201, 409)
    assert body(api.get(address)) == b"two"


def test_an_overlong_artifact_is_refused_and_leaves_nothing(api_for, owner, run, settings):
    settings.STUDIO_ARTIFACT_BYTES = 10

    answer = api_for(owner).put(f"/runs/{run.run_id}/artifacts/outputs/x", b"x" * 11)

    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert not run.artifacts.exists()


def test_an_artifact_that_breaks_off_is_not_stored(api_for, owner, run):
    api = api_for(owner)

    answer = api.client.generic(
        "PUT",
        f"/api/v1/runs/{run.run_id}/artifacts/outputs/x",
        headers=api.headers,
        **{"CONTENT_LENGTH": "100", "wsgi.input": io.BytesIO(b"half")},
    )

    assert answer.status_code == 422
    assert not run.artifacts.exists()


def test_an_artifact_needs_its_length(api_for, owner, run):
    api = api_for(owner)

    answer = api.client.generic(
        "PUT", f"/api/v1/runs/{run.run_id}/artifacts/outputs/x", b"", headers=api.headers, CONTENT_LENGTH=""
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (411, "length_required")


def test_artifacts_are_listed_in_pages_by_path(api_for, owner, run, noon):
    for name in ("b", "a", "c"):
        recording.save_artifact(run=run, path=f"outputs/{name}", chunks=[b"1"], at=noon)
    recording.save_artifact(run=run, path="plots/d", chunks=[b"1"], at=noon)
    api = api_for(owner)

    first = api.get(f"/runs/{run.run_id}/artifacts", {"limit": 2, "prefix": "outputs/"}).json()
    rest = api.get(f"/runs/{run.run_id}/artifacts", {"prefix": "outputs/", "limit": 2, "cursor": first["next"]}).json()

    assert [item["path"] for item in first["items"] + rest["items"]] == ["outputs/a", "outputs/b", "outputs/c"]


def test_the_code_of_a_run_is_sent_as_a_zip(api_for, owner, run, workspace, noon, code):
    run.snapshot = snapshots.store_zip(workspace=workspace, source=io.BytesIO(code), at=noon)
    run.save(update_fields=["snapshot"])

    answer = api_for(owner).get(f"/runs/{run.run_id}/snapshot")

    assert zipfile.ZipFile(io.BytesIO(body(answer))).namelist() == ["data/values.csv", "train.py"]
    assert answer["Content-Type"] == "application/zip"


def test_an_interactive_run_is_given_its_code_once(api_for, owner, experiment, code):
    api = api_for(owner)
    run = factories.run(experiment, by=owner, status=RunStatus.RUNNING, run_type=RunType.INTERACTIVE)
    address = f"/runs/{run.run_id}/snapshot"

    none = api.get(address)
    first = api.put(address, code)
    same = api.put(address, code)
    other = api.put(address, zipped({"other.py": ""}))

    assert none.status_code == 404
    assert (first.status_code, same.status_code) == (201, 201)
    assert len(first.json()["snapshot_id"]) == 64
    assert (other.status_code, other.json()["error"]["code"]) == (409, "has_snapshot")


def test_what_is_not_there_is_not_found(api_for, owner, run):
    api = api_for(owner)

    answers = [api.get(f"/runs/{run.run_id}/{rest}") for rest in ("logs/none", "artifacts/none", "snapshot")]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
