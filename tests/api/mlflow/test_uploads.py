"""Large files in parts, as MLflow's clients send them where they are told to; and fetched in ranges."""

import os
from pathlib import Path

import pytest
from django.utils import timezone

from runs import storage
from runs.actions import purge
from runs.models import Artifact, Role
from tests import factories
from tests.api.mlflow.test_files import body

FILES = "/api/2.0/mlflow-artifacts"
PARTS = [b"a" * 70_000, b"b" * 70_000, b"c"]


@pytest.fixture(autouse=True)
def home(tmp_path, settings):
    settings.STUDIO_HOME = tmp_path


@pytest.fixture
def root(mlflow, experiment):
    return f"{experiment.pk}/{mlflow.create(experiment)}/artifacts"


class Upload:
    """One file, sent by a client of `mlflow`."""

    def __init__(self, mlflow, folder, *, name="big.bin"):
        self.mlflow, self.folder, self.name = mlflow, folder, name
        self.begun = self.ask("create", num_parts=len(PARTS))
        self.parts = []

    def ask(self, call, **fields):
        fields = {"path": f"/home/tom/{self.name}", **fields}
        address = f"{self.mlflow.at}{FILES}/mpu/{call}/{self.folder}"
        return self.mlflow.client.post(address, fields, "application/json", headers=self.mlflow.headers)

    def put(self, number, data):
        """Send a part as the client does: to the address that it was told, with nothing but the headers it was told."""
        credential = self.begun.json()["credentials"][number - 1]
        answer = self.mlflow.client.generic("PUT", credential["url"], data, headers=credential["headers"])
        if answer.status_code == 200:
            self.parts.append({"part_number": number, "etag": answer["ETag"], "url": credential["url"]})
        return answer

    def end(self, call="complete", **fields):
        parts = sorted(self.parts, key=lambda part: part["part_number"])
        return self.ask(call, **{"upload_id": self.begun.json()["upload_id"], "parts": parts, **fields})


def stored_parts(settings):
    return [path for path in (Path(settings.STUDIO_HOME) / "data" / "uploads").rglob("*") if path.name.isdigit()]


@pytest.mark.parametrize("at", ["", "/w/default"])
def test_parts_in_any_order_become_one_file(mlflow, root, settings, at):
    mlflow.at = at
    upload = Upload(mlflow, f"{root}/dir", name="ä %b.bin")

    begun = upload.begun.json()
    for number in (3, 1, 2):
        upload.put(number, PARTS[number - 1])
    before = Artifact.objects.count()
    completed = upload.end()

    assert [credential["part_number"] for credential in begun["credentials"]] == [1, 2, 3]
    assert all(credential["url"].startswith(f"http://testserver{at}/api/") for credential in begun["credentials"])
    assert upload.begun["Cache-Control"] == "no-store"
    assert (before, completed.status_code, completed.json()) == (0, 200, {})
    assert Artifact.objects.get().path == "dir/ä %b.bin"
    assert body(mlflow.file("GET", f"/{root}/dir/ä %25b.bin")) == b"".join(PARTS)
    assert stored_parts(settings) == []


def test_a_part_sent_again_counts_once_and_the_end_may_be_asked_for_again(mlflow, root):
    upload = Upload(mlflow, root)
    upload.put(1, b"wrong")
    upload.parts.clear()
    for number, data in enumerate(PARTS, start=1):
        upload.put(number, data)

    first, again = upload.end(), upload.end()

    assert (first.status_code, again.status_code) == (200, 200)
    assert body(mlflow.file("GET", f"/{root}/big.bin")) == b"".join(PARTS)
    assert upload.put(1, b"late").status_code == 200
    assert body(mlflow.file("GET", f"/{root}/big.bin")) == b"".join(PARTS)


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        (lambda parts: [*parts[:1], {**parts[1], "etag": '"other"'}, *parts[2:]], 400, "Part 2 is not stored"),
        (lambda parts: [*parts, {"part_number": 4, "etag": "x"}], 400, "Part 4 is not stored"),
        (lambda parts: parts[::-1], 400, "in the order of the file"),
        (lambda parts: [], 400, "in the order of the file"),
        (lambda parts: [{"part_number": 1}], 400, "parts[0].etag"),
        (lambda parts: ["x"], 400, "parts"),
    ],
)
def test_an_end_that_does_not_fit_stores_nothing_and_loses_nothing(mlflow, root, change, status, words):
    upload = Upload(mlflow, root)
    for number, data in enumerate(PARTS, start=1):
        upload.put(number, data)

    refused = upload.ask("complete", upload_id=upload.begun.json()["upload_id"], parts=change(upload.parts))

    assert (refused.status_code, words in refused.json()["message"]) == (status, True)
    assert not Artifact.objects.exists()
    assert upload.end().status_code == 200


def test_an_upload_given_up_is_forgotten(mlflow, root, settings):
    upload = Upload(mlflow, root)
    upload.put(1, PARTS[0])

    given_up, again = upload.end("abort"), upload.end("abort")

    assert (given_up.json(), again.json()) == ({}, {})
    assert stored_parts(settings) == []
    assert upload.put(2, PARTS[1]).status_code == 404
    assert upload.end().json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert not Artifact.objects.exists()


def test_an_id_opens_one_file_of_one_run_and_is_no_path(mlflow, root, experiment):
    upload = Upload(mlflow, root)
    upload.put(1, PARTS[0])
    begun = upload.begun.json()
    other = f"{experiment.pk}/{mlflow.create(experiment)}/artifacts"

    elsewhere = [
        mlflow.client.put(f"{FILES}/mpu/part/{path}?upload_id={key}&part_number=1", b"x", headers=mlflow.headers)
        for path, key in [
            (f"{other}/big.bin", begun["upload_id"]),
            (f"{root}/small.bin", begun["upload_id"]),
            (f"{root}/big.bin", "../../x"),
            (f"{root}/big.bin", ""),
        ]
    ]

    assert [answer.status_code for answer in elsewhere] == [404, 404, 404, 404]


@pytest.mark.parametrize(
    ("path", "parts", "status"),
    [
        ("/x/..", 1, 400),
        ("", 1, 400),
        ("dir/", 1, 400),
        ("big.bin", 0, 400),
        ("big.bin", 10_001, 400),
        ("big.bin", "x", 400),
    ],
)
def test_an_upload_that_cannot_be_is_refused_at_once(mlflow, root, settings, path, parts, status):
    address = f"{FILES}/mpu/create/{root}"

    answer = mlflow.client.post(address, {"path": path, "num_parts": parts}, "application/json", headers=mlflow.headers)

    assert answer.status_code == status
    assert not (Path(settings.STUDIO_HOME) / "data" / "uploads").exists()


@pytest.mark.parametrize("number", ["0", "10001", "x", "", "-1", "00000000012345"])
def test_a_part_has_a_number(mlflow, root, number):
    upload = Upload(mlflow, root)
    address = upload.begun.json()["credentials"][0]["url"].replace("part_number=1", f"part_number={number}")

    answer = mlflow.client.generic("PUT", address, b"x", headers=mlflow.headers)

    assert (answer.status_code, "part_number" in answer.json()["message"]) == (400, True)


def test_parts_that_are_too_large_together_are_no_file(mlflow, root, settings):
    settings.STUDIO_ARTIFACT_BYTES = 100_000
    upload = Upload(mlflow, root)
    for number, data in enumerate(PARTS, start=1):
        upload.put(number, data)

    assert upload.put(3, b"x" * 100_001).status_code == 413
    assert upload.end().status_code == 413
    assert not Artifact.objects.exists()


def test_who_may_only_read_uploads_nothing(mlflow, mlflow_for, workspace, root):
    reader = factories.user("reader")
    factories.member(workspace, reader, Role.READER)
    upload = Upload(mlflow, root)
    upload.mlflow = mlflow_for(reader)

    refused = [upload.ask("create"), upload.end(), upload.end("abort")]
    part = upload.begun.json()["credentials"][0]["url"]

    assert [answer.status_code for answer in refused] == [403, 403, 403]
    assert mlflow.client.generic("PUT", part, b"x", headers=upload.mlflow.headers).status_code == 403
    assert mlflow.client.generic("PUT", part, b"x").status_code == 401


def test_what_came_to_no_end_is_swept_after_days(mlflow, root, settings):
    old, new = Upload(mlflow, root, name="old.bin"), Upload(mlflow, root, name="new.bin")
    old.put(1, PARTS[0])
    new.put(1, PARTS[0])
    folder = next(path for path in stored_parts(settings)).parent
    os.utime(folder, (1, 1))

    due = purge.due_uploads(at=timezone.now())
    swept = purge.purge_uploads(at=timezone.now())

    assert (len(due), swept) == (1, 1)
    assert len(stored_parts(settings)) == 1
    assert len(storage.old_uploads(before=timezone.now())) == 1


def test_a_file_is_fetched_in_ranges_at_the_address_that_is_named(mlflow, root):
    mlflow.file("PUT", f"/{root}/dir/ä b.bin", b"0123456789")

    told = mlflow.client.get(f"{FILES}/presigned/{root}/dir/ä b.bin", headers=mlflow.headers)
    missing = mlflow.client.get(f"{FILES}/presigned/{root}/no.bin", headers=mlflow.headers)
    part = mlflow.client.get(told.json()["url"], headers={**told.json()["headers"], "Range": "bytes=2-4"})

    assert told.json()["file_size"] == 10
    assert (part.status_code, body(part)) == (206, b"234")
    assert missing.status_code == 404
