"""A pipeline's document on its way to the server: source folders go ahead, each once."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Set, Tuple

from studio_sdk import source_folder
from studio_sdk.exceptions import UserErrorException
from studio_sdk.transport import quote

if TYPE_CHECKING:
    from studio_sdk.core.workspace import Workspace


def upload(workspace: Workspace, document: Dict[str, Any], *, folder: Path) -> Dict[str, Any]:
    """Return the document with a snapshot in place of each source folder, which is relative to `folder`.

    Raises UserErrorException if a folder or its script is not there, SnapshotException if it is too much.
    """
    stored: Dict[Path, Tuple[str, Set[str]]] = {}
    steps = {}
    for name, step in document.get("steps", {}).items():
        steps[name] = dict(step)
        source = steps[name].pop("source", None)
        if source is None:
            continue
        path = (folder / source).resolve()
        if path not in stored:
            with source_folder.pack(path) as archive, zipfile.ZipFile(archive) as packed:
                stored[path] = _store(workspace, archive), set(packed.namelist())
        steps[name]["snapshot"], files = stored[path]
        script = step.get("script")
        if script and script not in files:
            why = "is ignored by .amlignore or .gitignore" if (path / script).is_file() else "is not there"
            raise UserErrorException(f"The script {script} of the step {name!r} {why} in {path}.")
    return {**document, "steps": steps}


def _store(workspace: Workspace, archive: Any) -> str:
    size = archive.seek(0, 2)
    headers = {"Content-Type": "application/zip", "Content-Length": str(size)}
    answer = workspace._client.request(
        "POST", f"/snapshots?workspace={quote(workspace.name)}", raw=archive, headers=headers, repeatable=True
    )
    return str(answer.json()["snapshot_id"])
