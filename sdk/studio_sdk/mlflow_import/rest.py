"""MLflow's REST interface as an import uses it: what a store holds is read by it, and points are written by it."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from studio_sdk import connection, env
from studio_sdk.exceptions import AuthenticationException, ServerUnreachable, ServiceException
from studio_sdk.transport import Client, Response

Document = dict[str, Any]

RUNS_PER_PAGE = 100
_API = "/api/2.0/mlflow/"
_UI = "/ajax-api/2.0/mlflow/"
_EXPERIMENTS_PER_PAGE = 1_000
_MODELS_PER_PAGE = 50
# What one answer with the histories of several runs holds at most; and one page of a single history.
_POINTS_PER_ANSWER = 25_000


class Point(NamedTuple):
    """One point of a metric."""

    step: int
    timestamp: int
    value: float


class File(NamedTuple):
    """A file of a run or of a model; `size` is None where the store does not say."""

    path: str
    size: int | None


class Mlflow(Client):
    """A server that speaks MLflow's REST interface 2.0. Every call may be sent again."""

    root = ""

    def call(self, name: str, body: Document) -> Document:
        """POST to the call `name`."""
        return self.post(_API + name, body, repeatable=True) or {}

    def ask(self, name: str, **params: Any) -> Document:
        """GET the call `name`."""
        return self.get(_API + name, params) or {}

    def experiments(self, *, with_deleted: bool) -> Iterator[Document]:
        """Yield the experiments."""
        body = {"max_results": _EXPERIMENTS_PER_PAGE, "view_type": "ALL" if with_deleted else "ACTIVE_ONLY"}
        yield from self._pages("experiments/search", body, "experiments")

    def runs(self, experiment_id: str, *, with_deleted: bool) -> Iterator[list[Document]]:
        """Yield the runs of an experiment, page by page, the first to begin first."""
        body = {
            "experiment_ids": [experiment_id],
            "run_view_type": "ALL" if with_deleted else "ACTIVE_ONLY",
            "max_results": RUNS_PER_PAGE,
            "order_by": ["attributes.start_time ASC"],
        }
        while True:
            page = self.call("runs/search", body)
            if page.get("runs"):
                yield page["runs"]
            if not page.get("next_page_token"):
                return
            body["page_token"] = page["next_page_token"]

    def models(self, experiment_id: str) -> Iterator[Document]:
        """Yield the logged models of an experiment; none where the server is older than these."""
        body = {"experiment_ids": [experiment_id], "max_results": _MODELS_PER_PAGE}
        try:
            yield from self._pages("logged-models/search", body, "models")
        except ServiceException as error:
            if error.status_code not in {404, 405}:
                raise

    def histories(self, key: str, run_ids: Sequence[str]) -> Iterator[tuple[str, list[Point]]]:
        """Yield the points of the metric `key`, run by run; those of a long series in several parts.

        Of several runs one answer tells all, if it is not cut off: then each half is asked for.
        """
        if len(run_ids) > 1:
            found = self._bulk(key, run_ids)
            if found is None:
                for run_id in run_ids:
                    yield from self.histories(key, [run_id])
            elif sum(map(len, found.values())) < _POINTS_PER_ANSWER:
                yield from found.items()
            else:
                half = len(run_ids) // 2
                yield from self.histories(key, run_ids[:half])
                yield from self.histories(key, run_ids[half:])
            return
        params = {"run_id": run_ids[0], "metric_key": key, "max_results": _POINTS_PER_ANSWER}
        while True:
            page = self.ask("metrics/get-history", **params)
            yield run_ids[0], [_point(item) for item in page.get("metrics", [])]
            if not page.get("next_page_token"):
                return
            params["page_token"] = page["next_page_token"]

    def files(self, run_id: str) -> Iterator[File]:
        """Yield the files of a run."""
        yield from self._files(_API + "artifacts/list", {"run_id": run_id}, "path", "")

    def model_files(self, model_id: str) -> Iterator[File]:
        """Yield the files of a logged model."""
        listing = f"{_API}logged-models/{model_id}/artifacts/directories"
        yield from self._files(listing, {}, "artifact_directory_path", "")

    def fetch(self, run_id: str, path: str, target: BinaryIO) -> None:
        """Copy a file of a run into `target`, wherever the server keeps it."""
        self.download("/get-artifact?" + urllib.parse.urlencode({"run_id": run_id, "path": path}), target)

    def fetch_of_model(self, model_id: str, path: str, target: BinaryIO) -> None:
        """Copy a file of a logged model into `target`."""
        query = urllib.parse.urlencode({"artifact_file_path": path})
        self.download(f"{_UI}logged-models/{model_id}/artifacts/files?{query}", target)

    def _pages(self, name: str, body: Document, field: str) -> Iterator[Document]:
        while True:
            page = self.call(name, body)
            yield from page.get(field, [])
            if not page.get("next_page_token"):
                return
            body["page_token"] = page["next_page_token"]

    def _bulk(self, key: str, run_ids: Sequence[str]) -> dict[str, list[Point]] | None:
        """Return the histories of several runs; None from a server that does not tell them together."""
        try:
            params = {"run_id": list(run_ids), "metric_key": key, "max_results": _POINTS_PER_ANSWER}
            found = self.get(_UI + "metrics/get-history-bulk", params)
        except ServiceException as error:
            if error.status_code not in {404, 405}:
                raise
            return None
        by_run: dict[str, list[Point]] = {}
        for item in found.get("metrics", []):
            by_run.setdefault(item["run_id"], []).append(_point(item))
        return by_run

    def _files(self, listing: str, params: Document, field: str, folder: str) -> Iterator[File]:
        params = {**params, field: folder}
        while True:
            page = self.get(listing, params)
            for item in page.get("files", []):
                if item.get("is_dir"):
                    yield from self._files(listing, params, field, item["path"])
                else:
                    yield File(item["path"], int(item["file_size"]) if "file_size" in item else None)
            if not page.get("next_page_token"):
                return
            params["page_token"] = page["next_page_token"]

    def _refusal(self, method: str, path: str, response: Response) -> ServiceException | AuthenticationException:
        try:
            said = json.loads(response.body)
            code, message = said["error_code"], said["message"]
        except (ValueError, KeyError, TypeError):
            return super()._refusal(method, path, response)
        if response.status == 401:
            return AuthenticationException(f"{self.url} does not accept these credentials: {message}")
        kind = ServerUnreachable if response.status in {429, 502, 503, 504} else ServiceException
        return kind(message, status_code=response.status, code=code)


def store_at(url: str, *, retry_seconds: float) -> Mlflow:
    """Return the MLflow server at `url`, asked with the credentials of the address or of MLflow's variables.

    The variables are taken for this server if they name no other.
    """
    parts = urllib.parse.urlsplit(url)
    who, _, host = parts.netloc.rpartition("@")
    store = Mlflow(parts._replace(netloc=host).geturl(), retry_seconds=retry_seconds)
    named = env.text(env.MLFLOW_URI)
    if who:
        store.authorization = _basic(urllib.parse.unquote(who))
    elif named and not connection.same(named, store.url):
        pass  # the variables are for that one
    elif env.text(env.MLFLOW_USERNAME):
        store.authorization = _basic(f"{env.text(env.MLFLOW_USERNAME)}:{env.text(env.MLFLOW_PASSWORD)}")
    elif env.text(env.MLFLOW_TOKEN):
        store.authorization = f"Bearer {env.text(env.MLFLOW_TOKEN)}"
    return store


def _basic(pair: str) -> str:
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _point(item: Document) -> Point:
    return Point(int(item.get("step", 0)), int(item["timestamp"]), float(item["value"]))
