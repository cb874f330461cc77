"""Compute targets: the named places where workers run scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from studio_sdk.exceptions import ComputeTargetException, NotAvailable

if TYPE_CHECKING:
    from studio_sdk.core.workspace import Workspace


class ComputeTarget:
    """A compute target.

    Raises ComputeTargetException if there is none of that name.

    >>> ComputeTarget(workspace, "gpu-compute").slots
    """

    def __init__(self, workspace: Workspace, name: str) -> None:
        found = workspace.compute_targets
        if name not in found:
            raise ComputeTargetException(
                f"ComputeTargetNotFound: there is no compute target {name!r}; there are: {', '.join(found) or 'none'}. "
                f"An operator makes one with: manage.py compute_target create {name}"
            )
        self._set_up(workspace, found[name]._document)

    @classmethod
    def _of(cls, workspace: Workspace, document: dict[str, Any]) -> ComputeTarget:
        target = cls.__new__(cls)
        target._set_up(workspace, document)
        return target

    def _set_up(self, workspace: Workspace, document: dict[str, Any]) -> None:
        self.workspace = workspace
        self._document = document

    @property
    def name(self) -> str:
        """The name."""
        return str(self._document["name"])

    @property
    def slots(self) -> int:
        """How many runs it takes at once."""
        return int(self._document["slots"])

    @property
    def type(self) -> str:
        """What Azure ML would call it: workers on machines of your own."""
        return "Local" if self.name == "local" else "Workers"

    @property
    def provisioning_state(self) -> str:
        """Whether it takes runs."""
        return "Succeeded" if self._document["is_enabled"] else "Disabled"

    @staticmethod
    def list(workspace: Workspace) -> list[ComputeTarget]:
        """Return the compute targets.

        >>> [target.name for target in ComputeTarget.list(workspace)]
        """
        return [ComputeTarget._of(workspace, item) for item in workspace._client.pages("/compute-targets")]

    @staticmethod
    def create(workspace: Workspace, name: str, provisioning_configuration: Any = None) -> ComputeTarget:
        """Return the compute target, if it is there: an operator makes new ones.

        >>> ComputeTarget.create(workspace, "local")
        """
        found = workspace.compute_targets
        if name in found:
            return found[name]
        raise NotAvailable(
            f"The SDK makes no compute targets. On the server: manage.py compute_target create {name} --slots 2"
        )

    attach = create

    def wait_for_completion(self, show_output: bool = False, **kwargs: Any) -> None:
        """Return at once: a target that is there is ready.

        >>> target.wait_for_completion(show_output=True)
        """

    def get_status(self) -> Any:
        """Return what is known: slots, running and queued runs.

        >>> target.get_status()["slots"]
        """
        return dict(self._document)

    def serialize(self) -> dict[str, Any]:
        """Return the document.

        >>> target.serialize()["name"]
        """
        return dict(self._document)

    def delete(self) -> None:
        """Raise NotAvailable: an operator disables targets.

        >>> target.delete()
        """
        raise NotAvailable(
            f"The SDK deletes no compute targets. On the server: manage.py compute_target disable {self.name}"
        )

    def __repr__(self) -> str:
        return f"ComputeTarget(name={self.name!r}, slots={self.slots})"


class AmlCompute(ComputeTarget):
    """A compute target, under the name that scripts for Azure ML use."""

    @staticmethod
    def provisioning_configuration(vm_size: str = "", max_nodes: Optional[int] = None, **kwargs: Any) -> dict[str, Any]:
        """Return what was asked for. An operator makes the target; see `ComputeTarget.create`."""
        return {"vm_size": vm_size, "max_nodes": max_nodes, **kwargs}


class ComputeInstance(AmlCompute):
    """A compute target, under another of Azure ML's names."""


class RemoteCompute(AmlCompute):
    """A compute target, under another of Azure ML's names."""
