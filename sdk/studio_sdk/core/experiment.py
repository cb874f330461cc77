"""An experiment: runs under one name."""

from __future__ import annotations

import html
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Optional, Union

from studio_sdk import git, heartbeats, source_folder
from studio_sdk.core import _filters
from studio_sdk.core.script_run_config import ScriptRunConfig
from studio_sdk.exceptions import NotAvailable, ServiceException, UserErrorException
from studio_sdk.transport import quote, quote_name

if TYPE_CHECKING:
    from studio_sdk.core.run import Run
    from studio_sdk.core.workspace import Workspace

ACTIVE_ONLY, ARCHIVED_ONLY, ALL = "ActiveOnly", "ArchivedOnly", "All"
_UNSET: Any = object()


class ViewType:
    """Which experiments are listed."""

    ActiveOnly = ACTIVE_ONLY
    ArchivedOnly = ARCHIVED_ONLY
    All = ALL


class Experiment:
    """An experiment of a workspace, made if it is not there.

    >>> experiment = Experiment(workspace, "explore-runs")
    """

    def __init__(
        self,
        workspace: Workspace,
        name: str,
        _skip_name_validation: bool = False,
        _id: Optional[str] = None,
        _archived_time: Any = None,
        _create_in_cloud: bool = True,
        **kwargs: Any,
    ) -> None:
        if not isinstance(name, str) or not name.strip():
            raise UserErrorException(f"The name of an experiment is a text; got {name!r}.")
        self._set_up(workspace, name)
        if _create_in_cloud:
            try:
                self._document = workspace._client.post(
                    "/experiments", {"workspace": workspace.name, "name": name}, repeatable=True
                )
            except ServiceException as error:
                if error.status_code == 422:
                    raise UserErrorException(error.message) from error
                # A script may not make experiments; the one it belongs to is there.
                if error.code != "run_token_refused":
                    raise

    @classmethod
    def _of(cls, workspace: Workspace, name: str, document: Optional[dict[str, Any]] = None) -> Experiment:
        experiment = cls.__new__(cls)
        experiment._set_up(workspace, name, document)
        return experiment

    def _set_up(self, workspace: Workspace, name: str, document: Optional[dict[str, Any]] = None) -> None:
        self._workspace = workspace
        self._client = workspace._client
        self._name = name
        self._path = f"/experiments/{quote_name(name)}"
        self._document = document

    # --- What it is -----------------------------------------------------------------------------

    @property
    def workspace(self) -> Workspace:
        """The workspace."""
        return self._workspace

    @property
    def name(self) -> str:
        """The name."""
        return self._name

    @property
    def id(self) -> str:
        """The id; its name, which is unique in its workspace."""
        return str(self._known().get("id") or self._name)

    @property
    def tags(self) -> dict[str, Optional[str]]:
        """The tags as they were last seen."""
        return dict(self._known()["tags"])

    @property
    def archived_time(self) -> Optional[str]:
        """When it was archived; None while it is active."""
        return self._known().get("archived_utc")

    def refresh(self) -> None:
        """Ask the server for tags and state.

        >>> experiment.refresh()
        """
        self._document = self._client.get(self._path, {"workspace": self._workspace.name})

    def get_portal_url(self) -> str:
        """Return the address of the experiment's page.

        >>> experiment.get_portal_url()
        """
        return str(self._known()["url"])

    @staticmethod
    def list(
        workspace: Workspace,
        experiment_name: Optional[str] = None,
        view_type: str = ACTIVE_ONLY,
        tags: _filters.Filter = None,
    ) -> list[Experiment]:
        """Return the experiments of a workspace.

        >>> Experiment.list(workspace, view_type=ViewType.All)
        """
        view = str(getattr(view_type, "value", view_type))
        words = {ACTIVE_ONLY: "active", ARCHIVED_ONLY: "archived", ALL: "all"}
        if view not in words:
            raise UserErrorException(f"view_type is ActiveOnly, ArchivedOnly or All; got {view_type!r}.")
        params = {"workspace": workspace.name, "view": words[view], "name": experiment_name, "limit": 200}
        return [
            Experiment._of(workspace, item["name"], item)
            for item in workspace._client.pages("/experiments", params)
            if (experiment_name is None or item["name"] == experiment_name)
            and _filters.matches({"tags": item["tags"], "properties": {}}, tags=tags)
        ]

    # --- Runs -----------------------------------------------------------------------------------

    def start_logging(
        self,
        *args: Any,
        name: Optional[str] = None,
        run_id: Optional[str] = None,
        outputs: Optional[str] = None,
        snapshot_directory: Any = _UNSET,
        display_name: Optional[str] = None,
        tags: Optional[Mapping[str, Any]] = None,
        properties: Optional[Mapping[str, Any]] = None,
        **kwargs: Any,
    ) -> Run:
        """Start a run that is driven from here, and make the folder `outputs`, whose files are kept with the run.

        The code in `snapshot_directory` (by default the current folder; None for none) is kept too.

        >>> run = experiment.start_logging()
        >>> run.log("accuracy", 0.9)
        >>> run.complete()
        """
        from studio_sdk.core.run import Run, texts

        folder = Path(outputs or "outputs")
        folder.mkdir(parents=True, exist_ok=True)
        source = Path.cwd() if snapshot_directory is _UNSET else snapshot_directory and Path(snapshot_directory)
        given = {
            "workspace": self._workspace.name,
            "run_id": run_id or "",
            "display_name": display_name or name or "",
            "tags": texts(tags or {}),
            "properties": {**(git.properties(source) if source else {}), **texts(properties or {})},
        }
        document = self._client.make(
            f"{self._path}/interactive-runs", {key: value for key, value in given.items() if value}
        )
        run: Run = Run._of(self, document["run_id"], document, outputs=str(folder.absolute()))
        run._begin_here()
        heartbeats.begin(self._client, run.id)
        if source:
            run._keep_source(source)
        return run

    def submit(self, config: Any, tags: Optional[Mapping[str, Any]] = None, **kwargs: Any) -> Run:
        """Submit a script to its compute target, or a pipeline, and return at once.

        >>> run = experiment.submit(ScriptRunConfig(source_directory=".", script="train.py"))
        >>> run.wait_for_completion(show_output=True)
        """
        from studio_sdk.pipeline.pipeline import Pipeline
        from studio_sdk.pipeline.published import PublishedPipeline

        if isinstance(config, Pipeline):
            return config.submit(self._name, tags=tags, **kwargs)
        if isinstance(config, PublishedPipeline):
            return config.submit(self._workspace, self._name, tags=tags, **kwargs)
        return self._submit(config, tags=tags, **kwargs)

    def _submit(
        self,
        config: Any,
        *,
        tags: Optional[Mapping[str, Any]] = None,
        parent: Optional[str] = None,
        run_id: Optional[str] = None,
        properties: Optional[Mapping[str, Any]] = None,
        display_name: Optional[str] = None,
        description: Optional[str] = None,
        **kwargs: Any,
    ) -> Run:
        from studio_sdk.core.run import Run, texts

        if not isinstance(config, ScriptRunConfig):
            raise NotAvailable(
                f"Studio submits a ScriptRunConfig or a Pipeline, not a {type(config).__name__}. For a sweep, write a "
                "parent script that calls Run.get_context().submit_child(...) for each value."
            )
        body = config._body()
        folder = Path(config.source_directory)
        body["properties"] = {
            **git.properties(folder),
            **body["properties"],
            **{key: value or "" for key, value in texts(properties or {}).items()},
        }
        given = {
            "experiment": self._name,
            "workspace": self._workspace.name,
            "tags": texts(tags or {}),
            "parent_run_id": parent,
            "run_id": run_id,
            "display_name": display_name,
            "description": description,
        }
        body.update({key: value for key, value in given.items() if value})
        patch = git.patch(folder)
        with source_folder.pack(folder, must_have=body.get("script", "")) as archive:
            document = self._client.post_multipart(
                "/runs",
                fields={"config": body, **({"git_patch": patch} if patch else {})},
                file=("snapshot", archive),
                key=uuid.uuid4().hex,
            )
        run: Run = Run._of(self, document["run_id"], document)
        return run

    def get_runs(
        self,
        type: Optional[str] = None,
        tags: _filters.Filter = None,
        properties: _filters.Filter = None,
        include_children: bool = False,
    ) -> Iterator[Run]:
        """Yield the runs, newest first: those with the tags and the properties, both by key or by key and value.

        >>> list(experiment.get_runs(properties={"author": "azureml-user"}, tags="worth another look"))
        """
        return self._runs(type=type, tags=tags, properties=properties, include_children=include_children)

    def _runs(self, *, include_children: bool = False, **filters: Any) -> Iterator[Run]:
        params = {"experiment": self._name, "include_children": include_children or None}
        return self._workspace._runs(params, **filters)

    # --- Changing it ----------------------------------------------------------------------------

    def tag(self, key: str, value: Any = None) -> None:
        """Set a tag of the experiment.

        >>> experiment.tag("team", "vision")
        """
        self.set_tags({key: value})

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set several tags; others stay.

        >>> experiment.set_tags({"team": "vision", "pinned": None})
        """
        from studio_sdk.core.run import texts

        self._patch({"tags": texts(tags)})

    def remove_tags(self, tags: Union[str, List[str]]) -> None:
        """Remove tags by their keys.

        >>> experiment.remove_tags(["team"])
        """
        self._patch({"remove_tags": [tags] if isinstance(tags, str) else [*tags]})

    def archive(self) -> None:
        """Hide the experiment from the lists. A new run in it brings it back.

        >>> experiment.archive()
        """
        self._act("archive")

    def reactivate(self, new_name: Optional[str] = None) -> None:
        """Bring an archived experiment back.

        >>> experiment.reactivate()
        """
        if new_name and new_name != self._name:
            raise NotAvailable("An experiment keeps its name here; reactivate it without a new one.")
        self._act("restore")

    @staticmethod
    def delete(workspace: Workspace, experiment_id: str) -> None:
        """Raise NotAvailable: an experiment is archived, so that its runs stay on record.

        >>> Experiment.delete(workspace, experiment.id)
        """
        raise NotAvailable("The SDK deletes no experiments; hide one with Experiment.archive().")

    def _patch(self, changes: dict[str, Any]) -> None:
        self._document = self._client.patch(f"{self._path}{self._room}", changes)

    def _act(self, verb: str) -> None:
        self._document = self._client.post(f"{self._path}/{verb}{self._room}", repeatable=True)

    @property
    def _room(self) -> str:
        return f"?workspace={quote(self._workspace.name)}"

    def _known(self) -> dict[str, Any]:
        if self._document is None:
            self.refresh()
        return self._document or {}

    def __repr__(self) -> str:
        return f"Experiment(Name: {self._name},\nWorkspace: {self._workspace.name})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Experiment) and (self._workspace, self._name) == (other._workspace, other._name)

    def __hash__(self) -> int:
        return hash(self._name)

    def _repr_html_(self) -> str:
        name, workspace = html.escape(self._name), html.escape(self._workspace.name)
        link = f'<a href="{html.escape(self.get_portal_url())}" target="_blank" rel="noopener">{name}</a>'
        return (
            "<table><tr><th>Name</th><th>Workspace</th><th>Report Page</th></tr>"
            f"<tr><td>{name}</td><td>{workspace}</td><td>{link}</td></tr></table>"
        )
