"""Before the script starts: its code, its Python environment, its limits, its user, its token."""

import os
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from django.conf import settings

from runs.actions import snapshots, tokens, unmet
from runs.errors import RunsError
from runs.execution import bounds, environment, host, inputs, packages
from runs.execution.custody import DRAIN_SECONDS, Custody
from runs.execution.process import Command, Exit


class CannotRun(RunsError):
    """The run cannot be started."""

    code = "cannot_run"


def prepare(custody: Custody, held: ExitStack) -> Command:
    """Unpack the code, make the Python environment, and return what to start."""
    custody.tell(custody.system_log.begin)
    custody.user = bounds.user_of(custody.attempt.compute_target)
    if custody.user is not None and custody.run.requirements:
        # Installing runs code of the packages, and its result would be shared between users.
        raise CannotRun("Packages are not installed for runs as another user: name an interpreter that has them.")
    for name in ("outputs", "logs"):
        (custody.code / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    if custody.run.snapshot is not None:
        snapshot = custody.run.snapshot
        # Unreachable comes before the first file is written.
        custody.tell(lambda: snapshots.extract(snapshot, custody.code))
    folders = custody.tell(lambda: inputs.prepare(run=custody.run, folder=custody.code, say=custody.system_log.say))
    custody.pulse.check()
    interpreter = held.enter_context(
        packages.interpreter_for(
            custody.run,
            folder=custody.code,
            execute=partial(_execute, custody),
            pause=partial(_pause, custody),
            say=custody.system_log.say,
        )
    )
    for warning in custody.tell(lambda: unmet.warnings(custody.run)):
        custody.system_log.say(f"Warning: {warning}")
    custody.monitor.interpreter = interpreter
    argv = _argv(custody, interpreter)
    _, token = custody.tell(
        lambda: tokens.create_run_token(run=custody.run, attempt_number=custody.attempt.number, at=host.now())
    )
    if custody.user is not None:
        bounds.hand_over(custody.folder, custody.user)
    if custody.limits["process_count"] and os.geteuid() == 0 and custody.user is None:
        custody.system_log.say("The limit of processes does not bind root: let the compute target name a user.")
    custody.system_log.say(f"Prepared on {host.name()}, attempt {custody.attempt.number}.")
    variables = environment.build(custody.run, custody.attempt, token=token, interpreter=interpreter) | folders
    if custody.user is not None:
        variables |= {"HOME": custody.user.home, "USER": custody.user.name, "LOGNAME": custody.user.name}
    return Command(argv, variables, str(custody.code), custody.limits, custody.user)


def _argv(custody: Custody, interpreter: Path) -> list[str]:
    arguments = [str(argument) for argument in custody.run.arguments]
    if custody.run.command:
        return [*map(str, custody.run.command), *arguments]
    if not (custody.code / custody.run.script).is_file():
        raise CannotRun(f"There is no {custody.run.script} in the run's code.")
    return [str(interpreter), custody.run.script, *arguments]


def _execute(custody: Custody, command: Command) -> tuple[Exit, str]:
    """Run a program of ours in the run's tree, its output in environment.txt; stop with the run."""
    deadline = time.monotonic() + settings.STUDIO_PREPARE_SECONDS
    pump = custody.pump("system_logs/environment.txt")
    try:
        custody.start_in_tree(command, pump)
        while custody.tree.exit is None:
            custody.wait(deadline)
            custody.pulse.check()
            if time.monotonic() > deadline:
                raise packages.CannotPrepare(
                    f"Its packages were not installed within {settings.STUDIO_PREPARE_SECONDS:g} s."
                )
    finally:
        custody.tree.kill()
        pump.finish(timeout_seconds=DRAIN_SECONDS)
    return custody.tree.exit, pump.last_words()


def _pause(custody: Custody, seconds: float) -> None:
    time.sleep(seconds)
    custody.pulse.check()
