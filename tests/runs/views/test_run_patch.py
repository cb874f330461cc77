"""The uncommitted changes of a run's code in its Snapshot tab: shown, downloaded, and gone with the run."""

import io

import pytest
from django.urls import reverse

from runs.actions import git_patches, purge, snapshots, trash
from runs.models import GitPatch, Property
from runs.status import RunStatus
from runs.views import run_code
from tests import factories

PATCH = b"""diff --git a/train.py b/train.py
--- a/train.py
+++ b/train.py
@@ -1 +1 @@
-alpha = 0.1
+alpha = "<script>"
"""


@pytest.fixture
def run(experiment, team_mate, local, noon):
    files = [("train.py", io.BytesIO(b'alpha = "<script>"\n'))]
    run = factories.run(
        experiment,
        by=team_mate,
        compute_target=local,
        snapshot=snapshots.store_files(workspace=experiment.workspace, files=files, at=noon),
        status=RunStatus.COMPLETED,
    )
    facts = {"commit": "0123456789abcdef" * 2 + "01234567", "branch": "main", "dirty": "True"}
    Property.objects.bulk_create(Property(run=run, key=f"azureml.git.{key}", value=facts[key]) for key in facts)
    return run


def address(run):
    return reverse("run_snapshot", args=[run.run_id])


def test_the_patch_is_shown_highlighted_and_harmless(client_for, reader, run):
    git_patches.keep(run=run, data=PATCH)
    page = client_for(reader).get(address(run))
    patch = client_for(reader).get(address(run), {"patch": "1"})

    assert b'<a class="button" href="?patch=1">' in page.content
    assert b"0123456789ab</code> on main" in page.content
    assert b'<span class="tok-gd">-alpha = 0.1' in patch.content
    assert b"&lt;script&gt;" in patch.content
    assert b"<script>" not in patch.content


def test_the_patch_is_downloaded_as_it_came(client_for, reader, stranger, run):
    git_patches.keep(run=run, data=PATCH)
    there = reverse("run_patch_download", args=[run.run_id])
    answer = client_for(reader).get(there)

    assert answer.content == PATCH
    assert answer["Content-Disposition"] == f'attachment; filename="{run.run_id}.patch"'
    assert client_for(stranger).get(there).status_code == 404


def test_a_long_patch_says_that_only_its_beginning_is_shown(client_for, reader, run):
    git_patches.keep(run=run, data=PATCH + b"+x\n" * (run_code.SHOWN_BYTES // 3))

    assert b"Only the beginning is shown" in client_for(reader).get(address(run), {"patch": "1"}).content


def test_without_a_patch_the_files_are_said_to_have_the_changes(client_for, reader, run):
    page = client_for(reader).get(address(run), {"patch": "1"})

    assert b"with changes that are in no commit" in page.content
    assert client_for(reader).get(reverse("run_patch_download", args=[run.run_id])).status_code == 404


def test_the_patch_goes_with_its_run(run, noon):
    git_patches.keep(run=run, data=PATCH)
    trash.trash_run(run=run, at=noon)

    purge.purge(at=noon, days=0)

    assert not GitPatch.objects.exists()
