"""The files of a run: what it leaves (artifacts), what it printed (logs), and the code it was started with."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
import time
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NoReturn, Optional, Union

from studio_sdk import git, ignore_files, source_folder, values
from studio_sdk.exceptions import (
    NotAvailable,
    ServerUnreachable,
    ServiceException,
    SnapshotException,
    UserErrorException,
)
from studio_sdk.transport import Client, quote_path

PathLike = Union[str, "os.PathLike[str]"]


class RunFiles:
    """Uploads and downloads."""

    _client: Client
    _path: str
    _document: Optional[dict[str, Any]]
    _outputs: Optional[str]
    _started_here_at: Optional[float]

    def upload_file(
        self, name: str, path_or_stream: Union[PathLike, BinaryIO], datastore_name: Optional[str] = None
    ) -> None:
        """Store one file under the run as `name`. The same file again is no error.

        Raises ServiceException if a file with other content has this name already.

        >>> run.upload_file("outputs/model.pkl", "model.pkl")
        """
        own = _relative(name)
        if hasattr(path_or_stream, "read"):
            with _seekable(path_or_stream) as stream:
                self._upload(own, stream)
            return
        try:
            with Path(path_or_stream).open("rb") as file:
                self._upload(own, file)
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise UserErrorException(f"{path_or_stream} can not be read: {error.strerror}.") from error

    def register_model(self, model_name: str, model_path: Optional[str] = None, **kwargs: Any) -> NoReturn:
        """Raise NotAvailable: a model is a file among the outputs of its run.

        >>> run.register_model("diabetes", "outputs/model.pkl")
        """
        raise NotAvailable(
            f"Studio has no register of models, so {model_name!r} is not put into one. A model is a file of its run: "
            f"run.upload_file({model_path or 'outputs/model.pkl'!r}, path), and run.tag('model', {model_name!r}) to "
            "find it again."
        )

    def upload_files(
        self,
        names: list[str],
        paths: list[PathLike],
        return_artifacts: bool = False,
        timeout_seconds: Optional[int] = None,
        datastore_name: Optional[str] = None,
    ) -> None:
        """Store several files; `names` and `paths` go in pairs.

        >>> run.upload_files(["outputs/a", "outputs/b"], ["a.txt", "b.txt"])
        """
        if len(names) != len(paths):
            raise UserErrorException(f"Names and paths go in pairs; got {len(names)} names and {len(paths)} paths.")
        for name, path in zip(names, paths):
            self.upload_file(name, path)

    def upload_folder(self, name: str, path: PathLike, datastore_name: Optional[str] = None) -> None:
        """Store all files of a folder, at any depth, under the prefix `name`.

        >>> run.upload_folder("outputs/checkpoints", "checkpoints")
        """
        folder = Path(path)
        if not folder.is_dir():
            raise UserErrorException(f"{path} is no folder.")
        for file in sorted(each for each in folder.rglob("*") if each.is_file()):
            self.upload_file(str(PurePosixPath(name, file.relative_to(folder).as_posix())), file)

    def get_file_names(self) -> list[str]:
        """Return the names of all files of the run, its logs included.

        >>> run.get_file_names()
        ['outputs/model.pkl', 'user_logs/std_log.txt']
        """
        artifacts = [item["path"] for item in self._client.pages(f"{self._path}/artifacts", {"limit": 500})]
        return sorted({*artifacts, *self._log_names()})  # type: ignore[attr-defined]

    def download_file(
        self, name: str, output_file_path: Optional[PathLike] = None, _validate_checksum: bool = False
    ) -> None:
        """Fetch one file: to a path, into a folder, or into the current folder under its own last name.

        >>> run.download_file("outputs/model.pkl")
        """
        target = Path(output_file_path) if output_file_path else Path(PurePosixPath(name).name)
        if target.is_dir() or str(output_file_path or "").endswith(("/", os.sep)):
            target = target / PurePosixPath(name).name
        self._fetch_file(name, target)

    def download_files(
        self,
        prefix: Optional[str] = None,
        output_directory: Optional[PathLike] = None,
        output_paths: Optional[list[PathLike]] = None,
        batch_size: int = 100,
        append_prefix: bool = True,
        timeout_seconds: Optional[int] = None,
    ) -> None:
        """Fetch all files, or those whose names begin with a prefix, into a folder (by default the current one).

        >>> run.download_files(prefix="outputs", output_directory="results")
        """
        names = [name for name in self.get_file_names() if not prefix or name.startswith(prefix)]
        if output_paths is not None and len(output_paths) != len(names):
            raise UserErrorException(f"There are {len(names)} files, and {len(output_paths)} output_paths.")
        folder = Path(output_directory or ".")
        for number, name in enumerate(names):
            if output_paths is not None:
                self._fetch_file(name, Path(output_paths[number]))
                continue
            own = name if append_prefix or not prefix else name[len(prefix) :].lstrip("/") or PurePosixPath(name).name
            self._fetch_file(name, folder / _relative(own))

    def get_snapshot_id(self) -> str:
        """Return the id of the code that the run was started with; empty where it has none.

        >>> run.get_snapshot_id()
        """
        return str(self._known().get("snapshot_id") or "")  # type: ignore[attr-defined]

    def restore_snapshot(self, snapshot_id: Optional[str] = None, path: Optional[PathLike] = None) -> str:
        """Fetch the code of the run as a zip into a folder (made if it is not there); return the zip's path.

        >>> run.restore_snapshot(path="code-of-yesterday")
        """
        own = self.get_snapshot_id()
        if snapshot_id and snapshot_id != own:
            raise UserErrorException(f"The snapshot of this run is {own or 'none'}, not {snapshot_id}.")
        target = Path(path) if path else Path(tempfile.mkdtemp(prefix="studio-snapshot-"))
        if target.suffix != ".zip":
            target = target / f"snapshot_{own[:12] or 'run'}.zip"
        target.parent.mkdir(parents=True, exist_ok=True)
        self._download(f"{self._path}/snapshot", target)
        if not zipfile.is_zipfile(target):
            raise UserErrorException("What the server sent is no zip.")
        return str(target)

    def _upload(self, name: str, stream: BinaryIO) -> None:
        try:
            self._client.upload(f"{self._path}/artifacts/{quote_path(name)}", stream, is_new=True)
        except ServiceException as error:
            if error.status_code != 409 or self._digest_of(name) != _digest(stream):
                raise

    def _digest_of(self, name: str) -> str:
        stored = self._client.pages(f"{self._path}/artifacts", {"prefix": name})
        return next((str(item["sha256"]) for item in stored if item["path"] == name), "")

    def _keep_source(self, folder: Path) -> None:
        """Store the code beside a run that is driven from here; if it is too much, warn."""
        if next(ignore_files.kept_files(folder), None) is None:
            return
        try:
            with source_folder.pack(folder) as archive:
                self._document = self._client.upload(f"{self._path}/snapshot", archive)
            if patch := git.patch(folder):
                self._client.upload(f"{self._path}/git-patch", io.BytesIO(patch))
        except (SnapshotException, ServiceException) as error:
            values.warn(f"the code of {folder} is not kept with the run: {error}")

    def _fetch_file(self, name: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        kind = "logs" if name in self._log_names_once() else "artifacts"
        self._download(f"{self._path}/{kind}/{quote_path(name)}", target)

    def _log_names_once(self) -> set[str]:
        known: Optional[set[str]] = getattr(self, "_logs", None)
        if known is None:
            known = self._logs = set(self._log_names())  # type: ignore[attr-defined]
        return known

    def _download(self, address: str, target: Path) -> None:
        """Download beside the target and move into place, so that a broken transfer leaves nothing half."""
        temporary = target.with_name(f".{target.name}.part")
        try:
            with temporary.open("wb+") as file:
                self._client.download(address, file)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)

    def _begin_here(self) -> None:
        """Note that this process drives the run from now on."""
        self._started_here_at = time.time()

    def _upload_outputs(self) -> None:
        """Upload what was written to the outputs folder since the run began; what is there already stays."""
        if self._outputs is None or self._started_here_at is None or not Path(self._outputs).is_dir():
            return
        folder = Path(self._outputs)
        # A file system may keep times to the second or two.
        begun = self._started_here_at - 2
        for file in sorted(each for each in folder.rglob("*") if each.is_file() and each.stat().st_mtime >= begun):
            try:
                self.upload_file(f"outputs/{file.relative_to(folder).as_posix()}", file)
            except ServerUnreachable:
                raise
            except (ServiceException, UserErrorException) as error:
                if getattr(error, "status_code", 0) != 409:
                    values.warn(f"{file} is not uploaded: {error}")


def _digest(stream: BinaryIO) -> str:
    stream.seek(0)
    digest = hashlib.sha256()
    for chunk in iter(lambda: stream.read(1 << 20), b""):
        digest.update(chunk)
    return digest.hexdigest()


def _relative(name: str) -> str:
    """Return the name of a file of a run. Raises UserErrorException for one that leads out of it."""
    parts = PurePosixPath(str(name).replace("\\", "/")).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise UserErrorException(f"{name!r} is no name of a file in a run.")
    return "/".join(part for part in parts if part != ".")


def _seekable(stream: Any) -> BinaryIO:
    """Return the bytes of any stream as one that can be read twice."""
    copy: Any = tempfile.SpooledTemporaryFile(max_size=1 << 24)  # noqa: SIM115 - the caller closes it
    first = stream.read(0)
    if isinstance(first, str):
        stream = io.BytesIO(stream.read().encode())
    shutil.copyfileobj(stream, copy)
    result: BinaryIO = copy
    return result
