"""A workspace: where experiments and runs live."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union

from studio_sdk import connection
from studio_sdk.core import _filters
from studio_sdk.exceptions import NotAvailable, UserErrorException, WorkspaceException
from studio_sdk.transport import Client, quote

if TYPE_CHECKING:
    from studio_sdk.core.compute import ComputeTarget
    from studio_sdk.core.environment import Environment
    from studio_sdk.core.experiment import Experiment
    from studio_sdk.core.run import Run

_FOLDERS = (".azureml", "aml_config", "")
_FILES = ("config.json", "project.json")


class Workspace:
    """A workspace of a server.

    >>> workspace = Workspace.from_config()
    >>> workspace.experiments["explore-runs"]
    """

    def __init__(
        self,
        subscription_id: str = "",
        resource_group: str = "",
        workspace_name: str = "",
        auth: Any = None,
        **kwargs: Any,
    ) -> None:
        found = Workspace.get(workspace_name, auth=auth, subscription_id=subscription_id, resource_group=resource_group)
        self.__dict__.update(found.__dict__)

    @classmethod
    def _of(cls, name: str, client: Client, *, subscription_id: str = "", resource_group: str = "") -> Workspace:
        workspace = cls.__new__(cls)
        workspace._name = name
        workspace._client = client
        workspace._subscription_id = subscription_id
        workspace._resource_group = resource_group
        return workspace

    _name: str
    _client: Client
    _subscription_id: str
    _resource_group: str

    @staticmethod
    def from_config(
        path: Union[str, Path, None] = None,
        auth: Any = None,
        _logger: Any = None,
        _file_name: Optional[str] = None,
        **kwargs: Any,
    ) -> Workspace:
        """Return the workspace that the attached folder names: this one, or the nearest above it.

        Looks for config.json, then project.json, in `.azureml`, in `aml_config` and in the folder itself.
        Raises UserErrorException if there is none.

        >>> Workspace.from_config()
        """
        start = Path(path) if path else Path.cwd()
        file = _find_config(start, (_file_name,) if _file_name else _FILES)
        if file is None:
            raise UserErrorException(
                f"There is no config.json in {start.absolute()} or in a folder above it. Make one with: "
                "studio folder attach -w default"
            )
        config = read_config(file)
        client = _client(auth, config.get("studio_url"))
        return Workspace._existing(
            config["workspace_name"],
            client,
            subscription_id=config.get("subscription_id", ""),
            resource_group=config.get("resource_group", ""),
        )

    @staticmethod
    def get(
        name: str,
        auth: Any = None,
        subscription_id: str = "",
        resource_group: str = "",
        location: Optional[str] = None,
        **kwargs: Any,
    ) -> Workspace:
        """Return the workspace of that name.

        Raises WorkspaceException if there is none that you may see.

        >>> Workspace.get("default")
        """
        return Workspace._existing(
            name, _client(auth), subscription_id=subscription_id or "", resource_group=resource_group or ""
        )

    @staticmethod
    def create(
        name: str,
        auth: Any = None,
        subscription_id: str = "",
        resource_group: str = "",
        location: Optional[str] = None,
        create_resource_group: bool = True,
        exist_ok: bool = False,
        **kwargs: Any,
    ) -> Workspace:
        """Return the workspace, if it is there and `exist_ok` is true: an operator makes new ones.

        >>> Workspace.create("default", exist_ok=True)
        """
        try:
            found = Workspace.get(name, auth=auth, subscription_id=subscription_id, resource_group=resource_group)
        except WorkspaceException as error:
            raise NotAvailable(
                f"{error} The SDK makes no workspaces; an operator does, in the admin console (Workspaces, Add)."
            ) from error
        if not exist_ok:
            raise WorkspaceException(f"The workspace {name!r} is there already; say exist_ok=True to use it.")
        return found

    @staticmethod
    def list(
        subscription_id: str = "", auth: Any = None, resource_group: Optional[str] = None
    ) -> dict[str, list[Workspace]]:
        """Return your workspaces by name, each in a list of its own, as Azure ML's SDK does.

        >>> Workspace.list()
        """
        client = _client(auth)
        return {item["name"]: [Workspace._of(item["name"], client)] for item in client.pages("/workspaces")}

    @classmethod
    def _existing(cls, name: str, client: Client, **kwargs: str) -> Workspace:
        names = [item["name"] for item in client.pages("/workspaces")]
        if name not in names:
            known = ", ".join(names) or "none"
            raise WorkspaceException(f"There is no workspace {name!r} on {client.url} for you; yours: {known}.")
        return cls._of(name, client, **kwargs)

    @property
    def name(self) -> str:
        """The name."""
        return self._name

    @property
    def subscription_id(self) -> str:
        """What the attached folder says; without meaning here."""
        return self._subscription_id

    @property
    def resource_group(self) -> str:
        """What the attached folder says; without meaning here."""
        return self._resource_group

    @property
    def location(self) -> str:
        """The server's address, in place of a region."""
        return self._client.url

    @property
    def experiments(self) -> dict[str, Experiment]:
        """The active experiments by name."""
        from studio_sdk.core.experiment import Experiment

        return {experiment.name: experiment for experiment in Experiment.list(self)}

    @property
    def compute_targets(self) -> dict[str, ComputeTarget]:
        """The compute targets by name."""
        from studio_sdk.core.compute import ComputeTarget

        return {target.name: target for target in ComputeTarget.list(self)}

    @property
    def environments(self) -> dict[str, Environment]:
        """No environment is kept on the server: a run brings its own."""
        return {}

    @property
    def datastores(self) -> dict[str, Any]:
        """There are none: scripts read files where they lie."""
        return {}

    @property
    def datasets(self) -> dict[str, Any]:
        """There are none: scripts read files where they lie."""
        return {}

    @property
    def models(self) -> dict[str, Any]:
        """There are none: a model is a file among the outputs of its run."""
        return {}

    def get_run(self, run_id: str) -> Run:
        """Return the run of that id, in any experiment.

        Raises ServiceException if there is none.

        >>> workspace.get_run("explore-runs_1579000000_0a1b2c3d")
        """
        from studio_sdk.core.run import Run

        return self._run(self._client.get(f"/runs/{quote(run_id)}"), Run)

    def get_details(self) -> dict[str, Any]:
        """Return what is known of the workspace.

        >>> workspace.get_details()["name"]
        """
        item = next(each for each in self._client.pages("/workspaces") if each["name"] == self._name)
        return {**item, "location": self.location, "resourceGroup": self.resource_group}

    def get_mlflow_tracking_uri(self, with_auth: bool = False) -> str:
        """Return the address for `mlflow.set_tracking_uri`.

        >>> workspace.get_mlflow_tracking_uri()
        """
        return self._client.url

    def get_default_datastore(self) -> Any:
        """Raise NotAvailable: there are no datastores.

        >>> workspace.get_default_datastore()
        """
        raise NotAvailable(
            "Studio has no datastores. Read files where they lie, or put them into the source directory; "
            "write results to ./outputs, which is kept with the run."
        )

    def get_default_compute_target(self, type: str = "CPU") -> Any:
        """Return the compute target `local`, or the first there is.

        >>> workspace.get_default_compute_target().name
        """
        targets = self.compute_targets
        return targets.get("local") or next(iter(targets.values()), None)

    def write_config(self, path: Union[str, Path, None] = None, file_name: Optional[str] = None) -> None:
        """Write `.azureml/config.json` into a folder, so that `from_config` finds this workspace from there.

        >>> workspace.write_config()
        """
        folder = Path(path) if path else Path.cwd()
        if folder.name not in _FOLDERS[:2]:
            folder = folder / _FOLDERS[0]
        folder.mkdir(parents=True, exist_ok=True)
        config = {
            "subscription_id": self.subscription_id,
            "resource_group": self.resource_group,
            "workspace_name": self.name,
            "studio_url": self._client.url,
        }
        (folder / (file_name or _FILES[0])).write_text(json.dumps(config, indent=4) + "\n", encoding="utf-8")

    def _runs(
        self,
        params: Mapping[str, Any],
        *,
        path: str = "/runs",
        tags: _filters.Filter = None,
        properties: _filters.Filter = None,
        status: Union[str, Iterable[str], None] = None,
        type: Optional[str] = None,
        target: Optional[str] = None,
    ) -> Iterator[Run]:
        """Yield runs from a list of the API, newest first; pages are fetched as they are needed."""
        from studio_sdk.core.run import Run

        query = _filters.to_query(tags=tags, properties=properties, status=status, type=type, target=target)
        own = {} if path != "/runs" else {"workspace": self._name}
        for item in self._client.pages(path, {**own, **params, "query": query, "limit": 200}):
            if _filters.matches(item, tags=tags, properties=properties):
                yield self._run(item, Run)

    def _run(self, document: dict[str, Any], kind: type[Run]) -> Run:
        from studio_sdk.core.experiment import Experiment

        workspace = self if document["workspace"] == self._name else Workspace._of(document["workspace"], self._client)
        run: Run = kind._of(Experiment._of(workspace, document["experiment"]), document["run_id"], document)
        return run

    def __repr__(self) -> str:
        return f"Workspace(name={self._name!r}, url={self._client.url!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Workspace) and (self._name, self.location) == (other._name, other.location)

    def __hash__(self) -> int:
        return hash((self._name, self.location))


def find_attached(start: Path) -> Optional[Path]:
    """Return the config file of the folder or of the nearest above it; None where there is none."""
    return _find_config(start, _FILES)


def read_config(file: Path) -> dict[str, str]:
    """Return what a config file says, in either form that Azure ML writes. Raises UserErrorException."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if "Scope" in content:  # /subscriptions/S/resourceGroups/G/providers/.../workspaces/W
            parts = content["Scope"].strip("/").split("/")
            content = dict(zip(parts[::2], parts[1::2]))
            return {
                "subscription_id": content.get("subscriptions", ""),
                "resource_group": content.get("resourceGroups", ""),
                "workspace_name": parts[-1],
            }
        return {key: str(value) for key, value in {"workspace_name": content["workspace_name"], **content}.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserErrorException(f"{file} names no workspace: expected a JSON object with workspace_name.") from error


def _find_config(start: Path, names: Iterable[str]) -> Optional[Path]:
    start = start.absolute()
    if start.is_file():
        return start
    for folder in (start, *start.parents):
        for place in _FOLDERS:
            for name in names:
                if (folder / place / name).is_file():
                    return folder / place / name
    return None


def _client(auth: Any, url: Optional[str] = None) -> Client:
    client = getattr(auth, "_client", None)
    return client(url) if callable(client) else connection.connect(url)
