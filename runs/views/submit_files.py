"""The files of a new run: those that were uploaded, or those that are kept from the try before."""

import zipfile
from collections.abc import Collection
from datetime import datetime
from typing import BinaryIO, cast

from django import forms
from django.core import signing
from django.utils.translation import gettext as _

from runs.actions import snapshots
from runs.errors import InvalidInput
from runs.models import Snapshot, Workspace
from runs.views.request import SignedInRequest

_SALT = "runs.kept_upload"
# Of several Python files, the first of these is what is meant.
_LIKELY_SCRIPTS = ("main.py", "train.py", "run.py", "__main__.py")


def store(request: SignedInRequest, workspace: Workspace, *, at: datetime) -> Snapshot | None:
    """Store the files that came with the form, one zip or any number; None if there are none. Raises BadSnapshot."""
    named = [(file.name or "", cast(BinaryIO, file.file)) for file in request.FILES.getlist("upload")]
    if len(named) == 1 and zipfile.is_zipfile(named[0][1]):
        return snapshots.store_zip(workspace=workspace, source=named[0][1], at=at)
    return snapshots.store_files(workspace=workspace, files=named, at=at) if named else None


def keep(form: forms.Form, snapshot: Snapshot) -> None:
    """Let `form` send back what stands for the files of `snapshot`, beside all else that it holds."""
    form.data = {**dict(form.data.items()), "kept_upload": token_of(snapshot)}


def token_of(snapshot: Snapshot) -> str:
    """Return what the form sends back instead of the files."""
    return signing.dumps(snapshot.pk, salt=_SALT)


def kept(token: str, workspace: Workspace) -> Snapshot | None:
    """Return the snapshot that `token` stands for, if there is one."""
    try:
        pk = signing.loads(token, salt=_SALT) if token else None
    except signing.BadSignature:
        return None
    return Snapshot.objects.filter(pk=pk, workspace=workspace).first() if pk else None


def guessed_script(paths: Collection[str]) -> str:
    """Return the only Python file, or the one with a likely name. Raises InvalidInput if there is none."""
    scripts = sorted(path for path in paths if path.endswith(".py"))
    top = [path for path in scripts if "/" not in path]
    likely = [name for name in _LIKELY_SCRIPTS if name in scripts]
    for found in (scripts, top):
        if len(found) == 1:
            return found[0]
    if likely:
        return likely[0]
    some = ", ".join(scripts[:5])
    raise InvalidInput(
        _("Which file is the script? The files hold %s.") % some if some else _("The files hold no Python script."),
        field="script",
    )
