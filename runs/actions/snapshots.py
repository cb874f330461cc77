"""Snapshots: the source folder of a run, checked, stripped of what is ignored, and stored once by its content."""

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import IO, BinaryIO

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from runs import storage
from runs.actions import git, ignores, sources
from runs.actions.sources import BadSnapshot, Source
from runs.errors import Conflict, NotFound
from runs.models import PipelineDraft, PipelineRun, PublishedPipeline, Run, Snapshot, Workspace
from runs.models.run import RunQuerySet
from runs.pipelines import drawing
from runs.wording import say

__all__ = [
    "BadSnapshot",
    "Member",
    "SnapshotGone",
    "extract",
    "git_properties",
    "is_wanted",
    "list_members",
    "paths",
    "read_member",
    "remove",
    "store_files",
    "store_zip",
    "unnamed",
]

_CHUNK_BYTES = 1 << 20
# The zip knows no earlier day. One date for all makes equal sources equal zips.
_DATE = (1980, 1, 1, 0, 0, 0)
_FILE, _PROGRAM = 0o100644, 0o100755
_LONGEST_IGNORE_FILE_BYTES = 1 << 20


class SnapshotGone(Conflict):
    """The stored files of this snapshot are gone: submit them anew."""

    code = "snapshot_gone"


@dataclass(frozen=True)
class Member:
    """One file of a snapshot."""

    path: str
    size_bytes: int


def store_zip(*, workspace: Workspace, source: BinaryIO, at: datetime) -> Snapshot:
    """Store the files of a zip as a snapshot of `workspace`, or find the one that has the same content.

    Left out are `.git` and what `.amlignore`, else `.gitignore`, excludes. Raises BadSnapshot.
    """
    packed_bytes = source.seek(0, 2)
    with sources.of_zip(source) as found:
        return _store(workspace, found, at=at, packed_bytes=packed_bytes)


def store_files(*, workspace: Workspace, files: Iterable[tuple[str, BinaryIO]], at: datetime) -> Snapshot:
    """Store single files, each with its path, as store_zip does."""
    return _store(workspace, sources.of_files(files), at=at)


def git_properties(source: BinaryIO) -> dict[str, str]:
    """Return commit, branch and remote as properties, if the zip holds a `.git` folder; else nothing."""
    with sources.of_zip(source) as found:
        by_path = {item.path: item for item in found if item.path.startswith(".git/")}
        return git.properties(lambda path: _text(by_path[path]) if path in by_path else "") if by_path else {}


def list_members(snapshot: Snapshot) -> list[Member]:
    """Return the files of `snapshot`, sorted by path. Raises SnapshotGone."""
    if not storage.has_snapshot(snapshot.digest):
        raise SnapshotGone(field="snapshot")
    with storage.open_snapshot(snapshot.digest) as handle, zipfile.ZipFile(handle) as opened:
        return [Member(info.filename, info.file_size) for info in opened.infolist()]


def paths(snapshot: Snapshot) -> set[str]:
    """Return the paths of the files of `snapshot`."""
    return {member.path for member in list_members(snapshot)}


def read_member(snapshot: Snapshot, path: str, *, limit_bytes: int) -> bytes:
    """Return the first `limit_bytes` of the file `path` of `snapshot`. Raises BadPath or NotFound."""
    storage.check_path(path)
    with storage.open_snapshot(snapshot.digest) as handle, zipfile.ZipFile(handle) as opened:
        try:
            member = opened.open(path)
        except KeyError:
            raise NotFound(say("There is no file {path!r} in the snapshot.", path=path), field="path") from None
        with member:
            return member.read(limit_bytes)


def load() -> None:
    """Load what the first zip would have to wait for: the names of its files may be in this encoding."""
    import_module("encodings.cp437")


def extract(snapshot: Snapshot, folder: Path) -> None:
    """Unpack `snapshot` into `folder`, which exists and is empty. All checks are made again. Raises BadSnapshot."""
    with storage.open_snapshot(snapshot.digest) as handle, sources.of_zip(handle) as found:
        sources.check_amount(found)
        left = settings.STUDIO_SNAPSHOT_BYTES
        for source in found:
            target = folder / source.path
            target.parent.mkdir(parents=True, exist_ok=True)
            # Exclusive and without following: whatever is in the way, nothing outside is written.
            descriptor = os.open(
                target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o755 if source.is_executable else 0o644
            )
            with os.fdopen(descriptor, "wb") as out:
                for chunk in source.chunks(limit_bytes=left):
                    left -= out.write(chunk)


def unnamed(*, without: RunQuerySet | None = None) -> list[Snapshot]:
    """Return the snapshots that nothing names: no run, in the trash or not, and no pipeline: run, published or a draft.

    Schedules name published pipelines, and the palette offers steps of all these; nothing else names a snapshot.
    As if the runs `without` were gone, if it is given.
    """
    gone = [] if without is None else without.values_list("pk", flat=True)
    spare = Snapshot.objects.exclude(Exists(Run.with_trash.filter(snapshot=OuterRef("pk")).exclude(pk__in=gone)))
    found = list(spare.order_by("pk"))
    named = set(_named_in_documents(PipelineRun.objects.exclude(pk__in=gone))) if found else set()
    return [snapshot for snapshot in found if snapshot.digest not in named]


def is_wanted(snapshot: Snapshot, *, unwanted_since: datetime) -> bool:
    """Return whether its content was stored after `unwanted_since`, by whomever."""
    wanted_at = storage.snapshot_wanted_at(snapshot.digest)
    return wanted_at is not None and wanted_at > unwanted_since


def remove(snapshot: Snapshot, *, unwanted_since: datetime) -> bool:
    """Remove an unnamed snapshot, and the bytes with the last row of their content; return whether it was done.

    Not done, if it was stored after `unwanted_since`, or a run names it by now. Whoever
    stores the same content at this moment waits, and then stores it anew.
    """
    with transaction.atomic():
        _hold(snapshot.digest)
        if is_wanted(snapshot, unwanted_since=unwanted_since):
            return False
        # Locked: a run that comes now is seen here, or its reference is refused when it is written.
        locked = Snapshot.objects.select_for_update().filter(pk=snapshot.pk).first()
        if locked is None or Run.with_trash.filter(snapshot=locked).exists():
            return False
        locked.delete()
        if not Snapshot.objects.filter(workspace__in=Workspace.objects.all(), digest=snapshot.digest).exists():
            # Before the commit, while everybody else waits. If that fails, the row is removed another time.
            storage.delete_snapshot(snapshot.digest)
    return True


def _named_in_documents(pipeline_runs: QuerySet[PipelineRun]) -> Iterator[str]:
    for documents in (
        PipelineDraft.objects.values_list("document", flat=True),
        PublishedPipeline.objects.values_list("definition", flat=True),
        pipeline_runs.values_list("definition", flat=True),
    ):
        for document in documents.iterator():
            for step in drawing.steps_of(document).values():
                yield str(step.get("snapshot"))


def _store(workspace: Workspace, found: list[Source], *, at: datetime, packed_bytes: int | None = None) -> Snapshot:
    """Pack what is kept of `found` in a fixed order, and store it unless it is there."""
    kept = _kept(found)
    sources.check_amount(kept, packed_bytes=packed_bytes)
    with tempfile.TemporaryFile() as draft:
        digest = _pack(kept, draft)
        size = draft.seek(0, os.SEEK_END)
        if not storage.has_snapshot(digest):
            _save(digest, draft)
        with transaction.atomic():
            _hold(digest)
            # A purge may have removed it since. Touched, it is none that a purge removes for a day.
            if not storage.touch_snapshot(digest):
                _save(digest, draft)
            snapshot, _ = Snapshot.objects.get_or_create(
                workspace=workspace,
                digest=digest,
                defaults={"size_bytes": size, "file_count": len(kept), "created_at": at},
            )
    return snapshot


def _save(digest: str, draft: IO[bytes]) -> None:
    draft.seek(0)
    storage.save_snapshot(digest, iter(lambda: draft.read(_CHUNK_BYTES), b""))


def _hold(digest: str) -> None:
    """Let nobody else store or remove this content until the transaction ends. SQLite has one writer anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int(digest[:15], 16)])


def _kept(found: list[Source]) -> list[Source]:
    by_path = {source.path: source for source in found if ".git" not in source.path.lower().split("/")}
    return [by_path[path] for path in ignores.kept(sorted(by_path), lambda path: _text(by_path[path]))]


def _pack(kept: list[Source], draft: IO[bytes]) -> str:
    """Write the zip of `kept` into `draft`, and return the SHA-256 over paths, modes and contents."""
    digest = hashlib.sha256()
    left = settings.STUDIO_SNAPSHOT_BYTES
    with zipfile.ZipFile(draft, "w") as packed:
        for source in kept:
            info = zipfile.ZipInfo(source.path, _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = (_PROGRAM if source.is_executable else _FILE) << 16
            content = hashlib.sha256()
            with packed.open(info, "w") as member:
                for chunk in source.chunks(limit_bytes=left):
                    left -= member.write(chunk)
                    content.update(chunk)
            # Each part has a fixed or a told length: no two folders give the same bytes.
            encoded = source.path.encode()
            digest.update(b"%d:%s%d%s" % (len(encoded), encoded, source.is_executable, content.digest()))
    return digest.hexdigest()


def _text(source: Source) -> str:
    """Return the beginning of a small text file; bytes that are no text are replaced."""
    with source.open() as handle:
        return handle.read(_LONGEST_IGNORE_FILE_BYTES).decode("utf-8-sig", "replace")
