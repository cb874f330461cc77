"""What the client raises. The names are those of Azure ML's SDK v1."""

from __future__ import annotations

from typing import Any


class AzureMLException(Exception):
    """The base of all of them."""

    def __init__(self, exception_message: str = "", inner_exception: BaseException | None = None, **kwargs: Any):
        super().__init__(exception_message)
        self.message = exception_message
        self.inner_exception = inner_exception


class UserErrorException(AzureMLException):
    """What was asked makes no sense, and asking again will not help."""


class AuthenticationException(UserErrorException):
    """The server does not know who is asking."""


class WorkspaceException(AzureMLException):
    """Something is wrong with the workspace."""


class ProjectSystemException(AzureMLException):
    """Something is wrong with the folder that was attached."""


class SnapshotException(AzureMLException):
    """The source folder can not be packed."""


class RunEnvironmentException(AzureMLException):
    """There is no run to log to: the script was not started by a worker."""


class ComputeTargetException(AzureMLException):
    """There is no such compute target."""


class ExperimentExecutionException(AzureMLException):
    """The experiment could not be watched to its end."""


class ActivityFailedException(ExperimentExecutionException):
    """The run that was waited for ended as Failed."""

    def __init__(self, error_details: Any = None, **kwargs: Any):
        super().__init__(f"Activity failed:\n{error_details}", **kwargs)
        self.error_details = error_details


class ServiceException(AzureMLException):
    """The server refused. `status_code`, `code` and `field` say what and why; a pipeline may have several problems."""

    def __init__(self, message: str = "", *, status_code: int = 0, code: str = "", field: str = "", **kwargs: Any):
        self.problems: list[dict[str, Any]] = kwargs.pop("problems", None) or []
        super().__init__(message, **kwargs)
        self.status_code = status_code
        self.code = code
        self.field = field


class ServerUnreachable(ServiceException):
    """The server could not be reached, or could not answer, in the time that was given."""


class NotAvailable(AzureMLException, NotImplementedError):
    """Studio has no such thing. The message names what to use instead."""


class NotAvailableImport(ModuleNotFoundError):
    """Studio has no such module. The message names what to use instead."""
