"""Files that become a step of a draft: uploaded in the Designer's palette, or with the draft's form."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from runs.actions import pipeline_components, snapshots
from runs.actions.pipeline_components import Taken
from runs.errors import InvalidInput, RunsError
from runs.forms.pipeline_draft import StepFilesForm
from runs.models import Snapshot, Workspace
from runs.views import submit_files, submit_page
from runs.views.request import SignedInRequest


def take(request: SignedInRequest, workspace: Workspace, form: StepFilesForm) -> tuple[Taken | None, Snapshot | None]:
    """Return the step that the files make and the snapshot that they are; no step where the form says what is wrong.

    The files are those that came with `form`, else those that it kept from the try before.
    """
    snapshot = None
    try:
        found = submit_files.store(request, workspace, at=timezone.now())
        found = found or submit_files.kept(form.data.get("kept_upload", ""), workspace)
        if found is None:
            raise InvalidInput(_("Choose the files to upload."), field="upload")
        paths = snapshots.paths(found)
        snapshot = found
        script = form.data.get("script", "").strip() or submit_files.guessed_script(paths)
        taken = pipeline_components.of_snapshot(snapshot, script)
    except RunsError as error:
        submit_page.blame(form, error)
        return None, snapshot
    return taken if form.is_valid() else None, snapshot


def context(form: StepFilesForm, snapshot: Snapshot | None = None) -> dict[str, Any]:
    """Return what shows the form; the files of `snapshot` need not be chosen again."""
    if snapshot is not None:
        submit_files.keep(form, snapshot)
    return {"files": form, "kept_files": snapshots.list_members(snapshot) if snapshot else []}
