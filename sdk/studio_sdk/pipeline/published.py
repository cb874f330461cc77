"""Published pipelines: kept on the server by name and version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Dict, List, Optional

from studio_sdk.exceptions import UserErrorException
from studio_sdk.transport import quote, quote_name

if TYPE_CHECKING:
    from studio_sdk.core.workspace import Workspace
    from studio_sdk.pipeline.runs import PipelineRun


class PublishedPipeline:
    """One version of a pipeline that is kept on the server.

    >>> PublishedPipeline.get(workspace, id="0f8fad5b-d9cb-469f-a165-70867728950e").submit(workspace, "nightly")
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise UserErrorException(
            "A pipeline is published by Pipeline.publish(); find one with PublishedPipeline.get()."
        )

    @classmethod
    def _of(cls, workspace: Workspace, document: Dict[str, Any]) -> PublishedPipeline:
        published = cls.__new__(cls)
        published.workspace = workspace
        published._document = document
        return published

    workspace: Workspace
    _document: Dict[str, Any]

    @staticmethod
    def get(workspace: Workspace, id: str, _workflow_provider: Any = None, **kwargs: Any) -> PublishedPipeline:
        """Return the published pipeline of that id. Raises ServiceException if there is none.

        >>> PublishedPipeline.get(workspace, id="0f8fad5b-d9cb-469f-a165-70867728950e")
        """
        return PublishedPipeline._of(workspace, workspace._client.get(f"/published-pipelines/{quote(id)}"))

    @staticmethod
    def list(workspace: Workspace, active_only: bool = True, **kwargs: Any) -> List[PublishedPipeline]:
        """Return the published pipelines, newest first; the disabled ones only if asked for.

        >>> [(each.name, each.version) for each in PublishedPipeline.list(workspace)]
        """
        params = {"workspace": workspace.name, "view": "enabled" if active_only else "all", "limit": 200}
        return [
            PublishedPipeline._of(workspace, item) for item in workspace._client.pages("/published-pipelines", params)
        ]

    @property
    def id(self) -> str:
        """The id of this version."""
        return str(self._document["id"])

    @property
    def name(self) -> str:
        """The name, which all versions share."""
        return str(self._document["name"])

    @property
    def version(self) -> str:
        """What its publisher calls this version; the server's number where it has no other name."""
        return str(self._document["label"] or self._document["version"])

    @property
    def description(self) -> str:
        """The description."""
        return str(self._document["description"])

    @property
    def status(self) -> str:
        """Active or Disabled."""
        return "Active" if self._document["is_enabled"] else "Disabled"

    @property
    def endpoint(self) -> str:
        """The address that runs it: POST with ExperimentName, ParameterAssignments, Tags, Description."""
        return str(self._document["endpoint"])

    def enable(self) -> None:
        """Let it be run again.

        >>> published.enable()
        """
        self._document = self.workspace._client.post(f"{self._path}/enable", repeatable=True)

    def disable(self) -> None:
        """Let it be run no more.

        >>> published.disable()
        """
        self._document = self.workspace._client.post(f"{self._path}/disable", repeatable=True)

    def submit(
        self,
        workspace: Workspace,
        experiment_name: str,
        pipeline_parameters: Optional[Mapping[str, Any]] = None,
        _workflow_provider: Any = None,
        _service_endpoint: Any = None,
        parent_run_id: Optional[str] = None,
        continue_on_step_failure: Optional[bool] = None,
        regenerate_outputs: bool = False,
        tags: Optional[Mapping[str, Any]] = None,
        description: Optional[str] = None,
        display_name: Optional[str] = None,
        default_compute_target: Any = None,
        **kwargs: Any,
    ) -> PipelineRun:
        """Run it, and return at once.

        >>> published.submit(workspace, "nightly", pipeline_parameters={"seed": 11})
        """
        return _run(
            workspace,
            f"{self._path}/runs",
            experiment=experiment_name,
            parameters=dict(pipeline_parameters or {}),
            continue_on_step_failure=continue_on_step_failure,
            regenerate_outputs=regenerate_outputs,
            tags=tags,
            description=description,
            display_name=display_name,
            default_compute_target=getattr(default_compute_target, "name", default_compute_target),
        )

    @property
    def _path(self) -> str:
        return f"/published-pipelines/{quote(self.id)}"

    def __repr__(self) -> str:
        return (
            f"PublishedPipeline(Name: {self.name},\nId: {self.id},\nStatus: {self.status},\nEndpoint: {self.endpoint})"
        )


class PipelineEndpoint:
    """All versions of a published pipeline under their name; run, it is the newest enabled one.

    >>> PipelineEndpoint.get(workspace, name="nightly").submit("nightly-runs")
    """

    def __init__(self, workspace: Workspace, name: str) -> None:
        self.workspace = workspace
        self.name = name

    @staticmethod
    def get(
        workspace: Workspace, id: Optional[str] = None, name: Optional[str] = None, **kwargs: Any
    ) -> PipelineEndpoint:
        """Return the versions of that name. Raises UserErrorException if there are none.

        >>> PipelineEndpoint.get(workspace, name="nightly")
        """
        endpoint = PipelineEndpoint(workspace, str(name or id))
        if not endpoint.list_versions():
            raise UserErrorException(f"There is no published pipeline {endpoint.name!r} in {workspace.name}.")
        return endpoint

    def list_versions(self) -> List[PublishedPipeline]:
        """Return all versions, newest first, the disabled ones too.

        >>> [each.version for each in endpoint.list_versions()]
        """
        params = {"workspace": self.workspace.name, "name": self.name, "view": "all", "limit": 200}
        found = self.workspace._client.pages("/published-pipelines", params)
        return [PublishedPipeline._of(self.workspace, item) for item in found]

    @property
    def endpoint(self) -> str:
        """The address that runs the newest enabled version."""
        return str(self.list_versions()[0]._document["endpoint_of_newest"])

    def submit(
        self, experiment_name: str, pipeline_parameters: Optional[Mapping[str, Any]] = None, **options: Any
    ) -> PipelineRun:
        """Run the newest enabled version.

        >>> endpoint.submit("nightly-runs", pipeline_parameters={"seed": 11})
        """
        path = f"/pipeline-endpoints/{quote_name(self.name)}/runs?workspace={quote(self.workspace.name)}"
        parameters = dict(pipeline_parameters or {})
        return _run(self.workspace, path, experiment=experiment_name, parameters=parameters, **options)


def _run(workspace: Workspace, path: str, **body: Any) -> PipelineRun:
    from studio_sdk.pipeline.pipeline import _refusals_said
    from studio_sdk.pipeline.runs import PipelineRun, given

    document = _refusals_said(lambda: workspace._client.make(path, given(**body)))
    document.pop("Id", None)
    run: PipelineRun = PipelineRun._at(workspace, document)
    return run
