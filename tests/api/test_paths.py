"""No path from outside leads out: each payload, against every address that takes one, to read and to write."""

import io
from urllib.parse import quote

import pytest

from runs.actions import snapshots
from runs.status import RunStatus
from tests import factories
from tests.api.conftest import zipped

SECRET = b"root of all evil"

PAYLOADS = [
    "../secret.txt",
    "../../secret.txt",
    "../../../secret.txt",
    "../../../../secret.txt",
    "../../../../../secret.txt",
    "../../../../../../../../etc/passwd",
    "..",
    "../",
    ".",
    "./",
    "./secret.txt",
    "a/../../secret.txt",
    "a/../../../secret.txt",
    "a/..",
    "a/../b",
    "a/./b",
    "a//b",
    "a/",
    "/etc/passwd",
    "//etc/passwd",
    "///etc/passwd",
    "/",
    "\\etc\\passwd",
    "..\\secret.txt",
    "..\\..\\secret.txt",
    "a\\..\\..\\secret.txt",
    "\\\\server\\share\\x",
    "C:/windows/win.ini",
    "C:\\windows\\win.ini",
    "c:secret.txt",
    "z:/x",
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "~/secret.txt",
    "~root/secret.txt",
    "~",
    "%2e%2e/secret.txt",
    "%2e%2e%2fsecret.txt",
    "..%2fsecret.txt",
    "..%5csecret.txt",
    "%2fetc%2fpasswd",
    "%252e%252e%252fsecret.txt",
    "%25%32%65%25%32%65/secret.txt",
    "..%252fsecret.txt",
    "%00",
    "a%00b",
    "a%00.txt",
    "a\x00b",
    "\x00",
    "a\nb",
    "a\rb",
    "a\tb",
    "a\x1bb",
    "a\x7fb",
    "a\r\nSet-Cookie: x=1",
    "x" * 256,
    "x/" * 600 + "x",
    "é" * 128,
    "....//secret.txt/..",
    "..;/secret.txt",
    "a;/../../secret.txt",
    "a/..;/secret.txt/..",
    "?/../../secret.txt",
    "#/../../secret.txt",
    "a#/../../../secret.txt",
    "outputs/../../../secret.txt",
    "%c0%ae%c0%ae/secret.txt/..",
    "．．/../secret.txt",
    "..\u2215../../secret.txt",
    "-/../../secret.txt",
]
# These are unusual and harmless: plain names, which stay in their folder.
HARMLESS = {"..;/secret.txt", "file:///etc/passwd", "file://localhost/etc/passwd"}


@pytest.fixture
def run(experiment, owner, settings, tmp_path):
    settings.STUDIO_HOME = tmp_path / "home"
    (tmp_path / "secret.txt").write_bytes(SECRET)
    run = factories.run(experiment, by=owner, status=RunStatus.RUNNING)
    for folder in (tmp_path / "home", tmp_path / "home/data", tmp_path / "home/data/runs"):
        folder.mkdir()
        (folder / "secret.txt").write_bytes(SECRET)
    return run


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def once(payload):
    return quote(payload, safe="")


def test_there_are_more_than_sixty_payloads():
    assert len(set(PAYLOADS)) > 60


@pytest.mark.parametrize(
    "address",
    [
        "/runs/{run}/logs/{once}",
        "/runs/{run}/logs/{twice}",
        "/runs/{run}/artifacts/{once}",
        "/runs/{run}/artifacts/{twice}",
        "/runs/{run}/artifacts?prefix={once}",
        "/runs/{run}/metrics/{once}",
        "/runs/{once}",
        "/runs/{once}/logs",
        "/runs/{once}/logs/std_log.txt",
        "/runs/{once}/snapshot",
        "/experiments/{once}",
        "/runs?experiment={once}",
        "/runs?workspace={once}",
    ],
)
def test_nothing_outside_is_read(address, api_for, owner, run):
    api = api_for(owner)

    answers = {
        payload: api.get(address.format(run=run.run_id, once=once(payload), twice=once(once(payload))))
        for payload in PAYLOADS
    }

    assert {payload: answer.status_code for payload, answer in answers.items() if answer.status_code >= 500} == {}
    assert [payload for payload, answer in answers.items() if SECRET in b"".join(answer)] == []


def twice(payload):
    return once(once(payload))


# Escaped twice, most of these are odd names and no more.
@pytest.mark.parametrize(("spell", "harmless"), [(once, HARMLESS), (twice, set(PAYLOADS))])
def test_nothing_outside_is_written(spell, harmless, api_for, owner, run, tmp_path):
    api = api_for(owner)
    before = tree(tmp_path)

    statuses = {
        payload: api.put(f"/runs/{run.run_id}/artifacts/{spell(payload)}", b"x").status_code for payload in PAYLOADS
    }
    after = tree(tmp_path)

    taken = {payload for payload, status in statuses.items() if status == 201}
    assert set(statuses.values()) <= {201, 404, 405, 422}
    assert taken <= harmless
    own = f"home/data/runs/{run.pk // 1000:06d}/{run.pk}/artifacts/"
    assert [path for path in set(after) - set(before) if not path.startswith(own)] == []
    assert {path: after[path] for path in before} == before


def test_names_in_a_zip_are_held_to_the_same(workspace, run, noon, tmp_path):
    before = set(tree(tmp_path))

    refused = {}
    for payload in [payload for payload in PAYLOADS if "\x00" not in payload]:
        try:
            source = io.BytesIO(zipped({payload: b"x", "a.py": b""}))
            snapshots.store_zip(workspace=workspace, source=source, at=noon)
            refused[payload] = False
        except snapshots.BadSnapshot:
            refused[payload] = True

    taken = {payload for payload, is_refused in refused.items() if not is_refused}
    assert taken <= HARMLESS | {"a/"}  # a folder
    assert all("/snapshots/" in path for path in set(tree(tmp_path)) - before)


def test_scripts_and_run_ids_are_held_to_the_same(api_for, owner, run, local):
    api = api_for(owner)
    code = zipped({"a.py": b""})

    scripts = [api.submit({"experiment": "e", "script": payload}, code).status_code for payload in PAYLOADS]
    ids = {
        payload: api.submit({"experiment": "e", "script": "a.py", "run_id": payload}, code).status_code
        for payload in PAYLOADS
    }

    assert set(scripts) <= {400, 422}
    assert {payload for payload, status in ids.items() if status == 201} == {"x" * 256}
    assert set(ids.values()) == {201, 400, 422}
