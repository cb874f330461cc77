"""Files of runs and of their models: copied one after the other, each through a temporary file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO, NamedTuple

from studio_sdk.mlflow_import.job import FILES, Job
from studio_sdk.transport import quote, quote_path

_FILES_PER_PAGE = 500


class Taken(NamedTuple):
    """How many files a run has in the store, and of how many bytes."""

    file_count: int
    byte_count: int


Fetch = Callable[[BinaryIO], None]


def take(job: Job, run_id: str) -> Taken:
    """Bring the files of a run that are not here yet; return how many there are, with how many bytes."""
    here = job.runs[run_id]
    if FILES in here["properties"]:
        return Taken(*map(int, here["properties"][FILES].split()))
    held: dict[str, int] | None = {} if here["is_new"] else None
    count = total = 0
    for path, size, fetch in _files(job, run_id):
        if held is None:
            held = _held(job, run_id)
        if path not in held or size not in (None, held[path]):
            held[path] = _copy(job, run_id, path, fetch)
        count, total = count + 1, total + (held[path] if size is None else size)
    return Taken(count, total)


def _files(job: Job, run_id: str) -> Iterator[tuple[str, int | None, Fetch]]:
    """Yield path, size and content of the files of a run, and of the models that it keeps."""
    if run_id not in job.holders:
        for path, size in job.store.files(run_id):
            yield path, size, partial(job.store.fetch, run_id, path)
    for model in job.models.get(run_id, []):
        model_id = model["info"]["model_id"]
        for path, size in job.store.model_files(model_id):
            yield f"models/{model_id}/{path}", size, partial(job.store.fetch_of_model, model_id, path)


def _held(job: Job, run_id: str) -> dict[str, int]:
    found = job.here.pages(f"/runs/{quote(run_id)}/artifacts", {"limit": _FILES_PER_PAGE})
    return {each["path"]: each["size_bytes"] for each in found}


def _copy(job: Job, run_id: str, path: str, fetch: Fetch) -> int:
    with tempfile.TemporaryFile() as draft:
        fetch(draft)
        job.here.upload(f"/runs/{quote(run_id)}/artifacts/{quote_path(path)}", draft)
        return draft.tell()
