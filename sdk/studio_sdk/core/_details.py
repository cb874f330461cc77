"""What a run is: its identity, its status and its description."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Optional

from studio_sdk.core import _filters
from studio_sdk.transport import Client, quote_path

if TYPE_CHECKING:
    from studio_sdk.core.experiment import Experiment
    from studio_sdk.core.run import Run

_TERMINAL = frozenset({"Completed", "Failed", "Canceled"})


class RunDetails:
    """The reading half of a run."""

    _client: Client
    _experiment: Experiment
    _id: str
    _path: str
    _document: Optional[dict[str, Any]]

    def _fetch(self) -> dict[str, Any]:
        raise NotImplementedError

    def _known(self) -> dict[str, Any]:
        raise NotImplementedError

    @property
    def id(self) -> str:
        """The run's id, unique on its server."""
        return self._id

    @property
    def experiment(self) -> Experiment:
        """The experiment that it belongs to."""
        return self._experiment

    @property
    def number(self) -> int:
        """Its number in the experiment."""
        return int(self._known()["run_number"])

    @property
    def name(self) -> str:
        """The name for eyes; the id where none was given."""
        return self.display_name or self._id

    @property
    def type(self) -> Optional[str]:
        """The type in Azure ML's words: azureml.scriptrun, or None for an interactive run."""
        return _filters.azure_type(self._known()["run_type"])

    @property
    def status(self) -> str:
        """The status as it was last seen; `get_status` asks."""
        return str(self._known()["status"])

    @property
    def tags(self) -> dict[str, Optional[str]]:
        """The tags as they were last seen; `get_tags` asks."""
        return dict(self._known()["tags"])

    @property
    def properties(self) -> dict[str, str]:
        """The properties as they were last seen; `get_properties` asks."""
        return dict(self._known()["properties"])

    @property
    def display_name(self) -> str:
        """The name for eyes; may be set."""
        return str(self._known()["display_name"])

    @display_name.setter
    def display_name(self, value: Optional[str]) -> None:
        self._document = self._client.patch(self._path, {"display_name": value or ""})

    @property
    def description(self) -> str:
        """The description, in Markdown; may be set."""
        return str(self._known()["description"])

    @description.setter
    def description(self, value: Optional[str]) -> None:
        self._document = self._client.patch(self._path, {"description": value or ""})

    @property
    def parent(self) -> Optional[Run]:
        """The run that made this one; None at the root.

        >>> Run.get_context().parent.id
        """
        return self._relative(self._known()["parent_run_id"])

    def _relative(self, run_id: Optional[str]) -> Optional[Run]:
        from studio_sdk.core.run import Run

        if not run_id or run_id == self._id:
            return None
        relative: Run = Run._of(self._experiment, run_id)
        return relative

    def get_status(self) -> str:
        """Return the status as it is now. One that is final is not asked for again.

        >>> run.get_status()
        'Running'
        """
        if self._document is None or self._document["status"] not in _TERMINAL:
            self._fetch()
        return self.status

    def get_detailed_status(self) -> dict[str, Any]:
        """Return the status and the sentence that explains it.

        >>> run.get_detailed_status()
        {'status': 'Queued', 'details': '2nd in line on local'}
        """
        document = self._fetch()
        return {"status": document["status"], "details": document["reason"]}

    def get_details(self) -> dict[str, Any]:
        """Return all that is known of the run, in the shape of Azure ML's SDK.

        >>> run.get_details()["startTimeUtc"]
        '2020-01-09T12:00:00Z'
        """
        document = self._fetch()
        details: dict[str, Any] = {
            "runId": document["run_id"],
            "target": document["compute_target"] or "sdk",
            "status": document["status"],
            "startTimeUtc": document["start_time_utc"],
            "endTimeUtc": document["end_time_utc"],
            "services": {},
            "properties": dict(document["properties"]),
            "inputDatasets": [],
            "outputDatasets": [],
            "logFiles": {name: self._log_url(name) for name in self._log_names()},
            "submittedBy": document["submitted_by"],
        }
        if document["run_type"] != "interactive":
            details["runDefinition"] = self._definition(document)
        if document["error"]:
            details["error"] = {"error": {"code": "UserError", "message": document["error"]}}
        not_given = {key[10:]: value for key, value in document["properties"].items() if key.startswith("requested.")}
        if not_given:
            details["warnings"] = [
                {"source": "worker", "message": f"{name} is recorded only (asked for: {value})"}
                for name, value in not_given.items()
            ]
        # An absent key, not None, while there is nothing to say.
        return {key: value for key, value in details.items() if value is not None}

    @staticmethod
    def _definition(document: dict[str, Any]) -> dict[str, Any]:
        """Return what was submitted, in camel case."""
        return {
            "script": document["script"],
            "command": document.get("command") or "",
            "arguments": list(document["arguments"]),
            "target": document["compute_target"],
            "environmentVariables": dict(document.get("environment_variables") or {}),
            "maxRunDurationSeconds": document.get("max_run_duration_seconds"),
            "nodeCount": 1,
        }

    def get_portal_url(self) -> str:
        """Return the address of the run's page.

        >>> run.get_portal_url()
        """
        return str(self._known()["url"])

    def _log_names(self) -> list[str]:
        return [item["name"] for item in self._client.get(f"{self._path}/logs")["items"]]

    def _log_url(self, name: str) -> str:
        return f"{self._client.url}/api/v1{self._path}/logs/{quote_path(name)}"

    def __repr__(self) -> str:
        if self._document is None:
            return f"Run(Experiment: {self._experiment.name},\nId: {self._id})"
        return f"Run(Experiment: {self._experiment.name},\nId: {self._id},\nType: {self.type},\nStatus: {self.status})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunDetails) and (self._client.url, self._id) == (other._client.url, other._id)

    def __hash__(self) -> int:
        return hash(self._id)

    def _repr_html_(self) -> str:
        document = self._known()
        cells = [
            ("Experiment", html.escape(self._experiment.name)),
            ("Id", html.escape(self._id)),
            ("Type", html.escape(self.type or "interactive")),
            ("Status", html.escape(document["status"])),
            (
                "Details Page",
                f'<a href="{html.escape(document["url"])}" target="_blank" rel="noopener">Run {self.number}</a>',
            ),
        ]
        heads = "".join(f"<th>{name}</th>" for name, _ in cells)
        return f"<table><tr>{heads}</tr><tr>{''.join(f'<td>{cell}</td>' for _, cell in cells)}</tr></table>"
