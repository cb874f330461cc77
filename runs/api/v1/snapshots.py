"""Source folders on their own: stored once by their content, for the steps of pipelines."""

import tempfile

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema, Status

from runs import shapes
from runs.actions import snapshots
from runs.api import transfers
from runs.api.v1 import auth
from runs.api.v1.answers import REFUSALS, Refusal
from runs.api.v1.files import RECEIVED

router = Router(tags=["files"])


class SnapshotOut(Schema):
    """A stored source folder. Its id is made of its content."""

    snapshot_id: str
    size_bytes: int
    file_count: int


@router.post("/snapshots", response={201: SnapshotOut, REFUSALS: Refusal}, openapi_extra=RECEIVED)
def store_snapshot(request: HttpRequest, workspace: str = "") -> Status:
    """Store the body, a zip of a source folder, for steps of pipelines. The same content has the same id."""
    room = auth.caller(request).workspace_to_change(workspace)

    with tempfile.TemporaryFile() as draft:
        for chunk in transfers.receive(request, limit=2 * settings.STUDIO_SNAPSHOT_BYTES, field="snapshot"):
            draft.write(chunk)
        stored = snapshots.store_zip(workspace=room, source=draft, at=timezone.now())

    document: shapes.Document = {
        "snapshot_id": stored.digest,
        "size_bytes": stored.size_bytes,
        "file_count": stored.file_count,
    }
    return Status(201, document)
