"""Upload in the Designer: files of one's own become a step of the draft, or nothing of them is in it."""

import io
import os
import zipfile
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runs import storage
from runs.actions import pipeline_drafts, purge, snapshots
from runs.models import PipelineDraft, Snapshot
from tests import factories


@pytest.fixture(autouse=True)
def home(tmp_path, settings):
    settings.STUDIO_HOME = tmp_path


@pytest.fixture
def draft(workspace, team_mate, local):
    return factories.pipeline_draft(workspace, by=team_mate)


def address(name, draft):
    return reverse(name, args=[draft.workspace.name, draft.draft_id])


def script(name="train.py", text="print('hello')\n"):
    return SimpleUploadedFile(name, text.encode())


def packed(*names):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, "x\n")
    return SimpleUploadedFile("code.zip", packed.getvalue())


@pytest.fixture
def upload(client_for, team_mate, draft):
    """Upload in the palette of the draft's canvas."""
    return lambda **fields: client_for(team_mate).post(address("pipeline_draft_upload", draft), fields)


@pytest.fixture
def save(client_for, team_mate, draft):
    """Save the draft's form as it stands, with some fields of it otherwise."""

    def send(**fields):
        held = {"revision": draft.revision, "pipeline-name": draft.name}
        for number, (name, step) in enumerate(draft.document["steps"].items()):
            held |= {f"step-{number}-name": name, f"step-{number}-command": "\n".join(step.get("command", []))}
            held |= {f"step-{number}-script": step.get("script", ""), f"step-{number}-allow_reuse": "on"}
            held |= {f"step-{number}-outputs": ", ".join(step.get("outputs", []))}
        return client_for(team_mate).post(address("pipeline_draft_form", draft), held | fields)

    return send


def steps(draft):
    return PipelineDraft.objects.get(pk=draft.pk).document["steps"]


@pytest.mark.parametrize(
    ("files", "typed", "name", "step"),
    [
        ([script("fit it.py")], "", "fit_it", {"script": "fit it.py"}),
        ([script("main.py"), script("helper.py")], "", "main", {"script": "main.py"}),
        ([script("a.py"), script("b.py")], "b.py", "b", {"script": "b.py"}),
        (
            [packed("pkg/train.py", "requirements.txt")],
            "",
            "train",
            {"script": "pkg/train.py", "requirements": "requirements.txt"},
        ),
    ],
)
def test_files_of_any_kind_become_a_step(upload, workspace, files, typed, name, step):
    answer = upload(upload=files, script=typed)

    snapshot = Snapshot.objects.get(workspace=workspace)
    taken = answer.json()
    assert answer.status_code == 200
    assert (taken["name"], taken["step"]) == (name, {**step, "snapshot": snapshot.digest})
    document = {"name": "p", "default_compute_target": "local", "steps": {taken["name"]: taken["step"]}}
    assert pipeline_drafts.examine(document, workspace=workspace) == ()


def test_what_was_uploaded_is_in_the_palette_once_it_is_in_the_draft(client_for, team_mate, draft, upload):
    taken = upload(upload=[script(), script("requirements.txt", "numpy\n")]).json()
    draft.document["steps"]["fit"] = taken["step"]
    draft.save(update_fields=["document"])
    client = client_for(team_mate)

    page = client.get(draft.get_absolute_url())
    form = client.get(address("pipeline_draft_form", draft))

    (own,) = page.context["own_components"]
    assert own in form.context["components"]
    assert f'data-component="{own.key}"' in taken["item"]
    again = client.post(
        address("pipeline_draft_component", draft), {"component": own.key}, content_type="application/json"
    )
    assert again.json()["step"] == taken["step"]


def mistakes():
    """Return what is sent, the field that is at fault, and what is said. Files are read once, so each time anew."""
    return [
        ({"upload": []}, "upload", "Choose the files to upload."),
        ({"upload": packed("../train.py")}, "upload", "../train.py"),
        ({"upload": [script("Train.py"), script("train.py")]}, "upload", "which some disks cannot tell apart"),
        ({"upload": script(text="x" * 2000)}, "upload", "The snapshot is larger than"),
        ({"upload": [script(f"{number}.py") for number in range(4)]}, "upload", "The snapshot has more than 3 files"),
        (
            {"upload": [script("a.py"), script("b.py")]},
            "script",
            "Which file is the script? The files hold a.py, b.py.",
        ),
        ({"upload": script("notes.txt")}, "script", "The files hold no Python script."),
        ({"upload": script(), "script": "other.py"}, "script", "in the snapshot, which holds train.py."),
        ({"upload": script(), "script": "../train.py"}, "script", ".."),
    ]


@pytest.fixture
def small(settings):
    settings.STUDIO_SNAPSHOT_BYTES, settings.STUDIO_SNAPSHOT_FILES = 1000, 3


@pytest.mark.parametrize(("fields", "field", "said"), mistakes())
def test_a_mistake_comes_back_beside_its_field(upload, small, fields, field, said):
    answer = upload(**fields)

    assert answer.status_code == 422
    assert list(answer.json()) == ["fields"]
    assert list(answer.context["files"].errors) == [field]
    assert said in answer.context["files"].errors[field][0]


@pytest.mark.parametrize(("fields", "field", "said"), mistakes())
def test_a_mistake_in_the_form_of_the_draft_leaves_it_as_it_was(save, small, draft, fields, field, said):
    answer = save(**fields, add="files")

    assert answer.status_code == 422
    assert said in answer.context["files"].errors[field][0]
    assert steps(draft) == draft.document["steps"]
    assert PipelineDraft.objects.get().revision == draft.revision


@pytest.mark.parametrize("button", [{"add": "files"}, {}])
def test_the_form_of_the_draft_takes_files_too_with_what_else_was_changed(save, draft, button):
    answer = save(upload=script("prepare.py"), **{"step-1-name": "fit"}, **button)

    assert answer.status_code == 302
    assert list(steps(draft)) == ["prepare", "fit", "prepare_2"]
    assert steps(draft)["prepare_2"] == {"script": "prepare.py", "snapshot": Snapshot.objects.get().digest}


@pytest.mark.parametrize(
    ("mistake", "is_added_by_any_button"),
    [({"pipeline-name": ""}, True), ({"revision": "0"}, True), ({"script": "other.py"}, False)],
)
def test_files_are_kept_while_something_else_is_wrong(save, draft, mistake, is_added_by_any_button):
    refused = save(upload=script(), **mistake)
    kept = refused.context["files"].data["kept_upload"]

    answer = save(kept_upload=kept, add="files")

    assert refused.status_code == 422
    page = refused.content.decode()
    assert "1 file of your upload is kept" in page
    assert ('<input type="hidden" name="add" value="files">' in page) == is_added_by_any_button
    assert answer.status_code == 302
    assert list(steps(draft)) == ["prepare", "train", "train_2"]


def test_a_purge_takes_uploaded_files_only_once_no_draft_names_them(save, draft):
    save(upload=script())
    snapshot = Snapshot.objects.get()
    then = timezone.now() - timedelta(days=2)
    os.utime(storage.snapshots._path(snapshot.digest), (then.timestamp(), then.timestamp()))

    assert purge.purge_snapshots(at=timezone.now()) == 0
    assert snapshots.paths(snapshot) == {"train.py"}
    draft.delete()
    assert purge.purge_snapshots(at=timezone.now()) == 1


def test_a_reader_uploads_nothing(client_for, reader, draft):
    answer = client_for(reader).post(address("pipeline_draft_upload", draft), {"upload": script()})

    assert answer.status_code == 403
    assert not Snapshot.objects.exists()


def test_a_stranger_finds_no_draft_to_upload_to(client_for, stranger, draft):
    answer = client_for(stranger).post(address("pipeline_draft_upload", draft), {"upload": script()})

    assert answer.status_code == 404


def test_a_form_of_another_site_uploads_nothing(team_mate, draft):
    client = Client(enforce_csrf_checks=True)
    client.force_login(team_mate)

    answers = [
        client.post(address(name, draft), {"upload": script()})
        for name in ("pipeline_draft_upload", "pipeline_draft_form")
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert not Snapshot.objects.exists()
