"""The one base class of everything that the domain refuses."""

from runs.wording import say


class RunsError(Exception):
    """The request could not be carried out.

    A subclass stands beside the code that raises it. Its `code` is the stable word that
    the API's dialects map to their own codes and HTTP statuses; its docstring's first
    line is the default message, written for the user. `field` names the input at fault.
    A message made by `wording.say` is English here and can be said in another language.
    """

    code = "error"

    def __init__(self, message: str = "", *, field: str = "") -> None:
        self.message = message or say((type(self).__doc__ or "").strip().splitlines()[0])
        self.field = field
        super().__init__(self.message)


class InvalidInput(RunsError):
    """A value is not what was expected."""

    code = "invalid"


class NotFound(RunsError):
    """There is no such thing, or it is not yours to see."""

    code = "not_found"


class PermissionDenied(RunsError):
    """Your role does not allow this."""

    code = "forbidden"


class Conflict(RunsError):
    """This contradicts what is already there."""

    code = "conflict"


class TooLarge(RunsError):
    """This is larger than the limit."""

    code = "too_large"
