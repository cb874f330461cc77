"""The store of a worker that shares no disk with the web server: the same functions, over HTTP.

A process signs in for the attempts it works on; with the secret of one, bytes of that
attempt alone can be written, and its snapshot read.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from runs.errors import InvalidInput, TooLarge
from runs.storage import files, logs, paths
from runs.storage.link import AttemptOver, Link, Refused, Unreachable
from runs.storage.outbox import Outbox

# How long one call insists before it says Unreachable; its callers insist longer.
_PATIENCE_SECONDS = 10.0
_PART_BYTES = 4 * 2**20


class _Session:
    def __init__(self, folder: Path, secret: str) -> None:
        self.folder = folder
        self.secret = secret
        self.outbox = Outbox(folder, url=settings.STUDIO_URL, secret=secret)

    def link(self) -> Link:
        return Link(settings.STUDIO_URL, self.secret)


_sessions: dict[int, _Session] = {}


def sign_in(run_pk: int, *, outbox: Path, make_secret: Callable[[], str]) -> None:
    """Let this process store bytes of the run's attempt; doing it again does nothing."""
    known = _sessions.get(run_pk)
    if known is None or known.folder != outbox:  # else it is an earlier attempt's
        sign_out(run_pk)
        _sessions[run_pk] = _Session(outbox, make_secret())


def sign_out(run_pk: int) -> None:
    """Forget the attempt. Logs that were not sent stay in the outbox."""
    if session := _sessions.pop(run_pk, None):
        session.outbox.close()


def flush(run_pk: int) -> None:
    """Return once the web server has every byte of the run's logs. Raises Unreachable."""
    _session(run_pk).outbox.flush()


def append_log(run_pk: int, name: str, data: bytes, *, offset: int) -> int:
    """As the local one; the bytes are on this machine when it returns, and on their way."""
    return _session(run_pk).outbox.append(name, data, offset=offset)


def log_size(run_pk: int, name: str) -> int:
    """Return the size of the log `name` as this machine wrote it."""
    return _session(run_pk).outbox.size(name)


def save_artifact(run_pk: int, path: str, chunks: Iterable[bytes]) -> files.Stored:
    """As the local one, in parts by offset. Raises Unreachable; calling it again begins anew."""
    paths.check_path(path)
    link = _session(run_pk).link()
    size, digest, buffer = 0, hashlib.sha256(), bytearray()
    try:
        for chunk in chunks:
            digest.update(chunk)
            buffer += chunk
            while len(buffer) >= _PART_BYTES:
                part = bytes(buffer[:_PART_BYTES])
                del buffer[:_PART_BYTES]
                link.send("POST", f"artifacts/{path}", part, patience_seconds=_PATIENCE_SECONDS, offset=size)
                size += len(part)
        # The last part says that it is the last: the file appears with it, whole.
        link.send("PUT", f"artifacts/{path}", bytes(buffer), patience_seconds=_PATIENCE_SECONDS, offset=size)
    except Refused as refused:
        raise _as_local(refused) from refused
    finally:
        link.close()
    return files.Stored(path, size + len(buffer), digest.hexdigest(), datetime.now(UTC))


def open_snapshot(digest: str) -> BinaryIO:
    """Fetch the zip of the attempt that was signed in last. Raises FileNotFoundError, also if it is another one."""
    if not _sessions:
        raise FileNotFoundError(digest)
    link = next(reversed(_sessions.values())).link()
    draft = tempfile.TemporaryFile()  # noqa: SIM115 - handed to the caller
    try:
        etag = link.fetch("snapshot", draft, patience_seconds=_PATIENCE_SECONDS)
        if etag != f'"{digest}"':
            raise FileNotFoundError(digest)
        draft.seek(0)
    except BaseException as error:
        draft.close()
        if isinstance(error, (Refused, AttemptOver)):
            raise FileNotFoundError(digest) from error
        raise
    finally:
        link.close()
    return draft


def read_input(run_pk: int, source_pk: int, path: str, into: BinaryIO) -> None:
    """Fetch a file of another run that is an input of this one. Raises FileNotFoundError or Unreachable."""
    link = _session(run_pk).link()
    try:
        link.fetch(f"inputs/{source_pk}/{path}", into, patience_seconds=_PATIENCE_SECONDS)
    except (Refused, AttemptOver) as error:
        raise FileNotFoundError(path) from error
    finally:
        link.close()


def _session(run_pk: int) -> _Session:
    try:
        return _sessions[run_pk]
    except KeyError:
        raise Unreachable(f"This process has not signed in for the bytes of run {run_pk}.") from None


def _as_local(refused: Refused) -> Exception:
    """Return the error that the local store raises for the same reason."""
    if refused.code == logs.OffsetGap.code:  # it lost its draft
        return Unreachable(refused.message)
    kind = {TooLarge.code: TooLarge, paths.BadPath.code: paths.BadPath}.get(refused.code, InvalidInput)
    return kind(refused.message, field=refused.field)
