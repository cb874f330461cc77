"""An attempt's bytes on their way to where pages read them, which may be another machine."""

from runs import storage
from runs.actions import tokens
from runs.execution import host
from runs.models import Attempt


def sign_in(attempt: Attempt) -> None:
    """Let this process store bytes of `attempt`. Doing it again does nothing.

    The outbox lies in the attempt's folder: whoever finishes the attempt on this machine
    finds in it what its supervisor could not send, and it goes with the folder.
    """
    storage.sign_in(
        attempt.run_id,
        outbox=host.work_folder(attempt) / "outbox",
        make_secret=lambda: tokens.create_worker_token(run=attempt.run, attempt_number=attempt.number, at=host.now())[
            1
        ],
    )


def deliver(attempt: Attempt) -> None:
    """Return once every byte of the attempt's logs has arrived. Raises storage.Unreachable."""
    storage.flush(attempt.run_id)


def sign_out(attempt: Attempt) -> None:
    """Forget the attempt in this process."""
    storage.sign_out(attempt.run_id)
