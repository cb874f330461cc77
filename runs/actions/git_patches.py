"""What was changed in a run's code since its commit: kept once, and carried to a run of the same code."""

from runs import limits
from runs.errors import Conflict, InvalidInput
from runs.models import GitPatch, Run
from runs.wording import say


class HasGitPatch(Conflict):
    """The uncommitted changes of a run are set once: this run has others already."""

    code = "has_git_patch"


def keep(*, run: Run, data: bytes) -> None:
    """Keep the uncommitted changes of `run`; the same ones again change nothing.

    Raises InvalidInput, or HasGitPatch if others are kept.
    """
    if not data:
        raise InvalidInput(say("The patch is empty."), field="git_patch")
    if len(data) > limits.GIT_PATCH_BYTES:
        raise InvalidInput(
            say("The patch is larger than {most:,} bytes.", most=limits.GIT_PATCH_BYTES), field="git_patch"
        )
    kept, _ = GitPatch.objects.get_or_create(run=run, defaults={"data": data})
    if bytes(kept.data) != data:
        raise HasGitPatch(field="git_patch")


def of(run: Run) -> bytes:
    """Return the uncommitted changes that are in the code of `run`; nothing if there were none."""
    patch = GitPatch.objects.filter(run=run).first()
    return bytes(patch.data) if patch else b""
