"""What is submitted: the script run config, and the checks that need no database."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runs import limits, storage
from runs.actions import checks
from runs.errors import InvalidInput
from runs.wording import say

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_VARIABLE = 32_768
_LONGEST_ENVIRONMENT = 512 * 1024  # with the arguments it must fit into what the kernel passes on
_LONGEST_ARGUMENTS = 1024 * 1024
_REQUIREMENTS = 1_000
_REQUIREMENT_LENGTH = 2_000
# The lowest and the highest that each limit may be set to. Less memory starts no interpreter.
_LIMITS = {
    "max_run_duration_seconds": (1, limits.RUN_DURATION_SECONDS),
    "memory_bytes": (2**24, 2**62),
    "process_count": (1, 2**31 - 1),
    "cpu_seconds": (1, limits.RUN_DURATION_SECONDS),
    "file_bytes": (1, 2**62),
}


@dataclass(frozen=True)
class ScriptRunConfig:
    """What a worker is to execute, where, and what is known about it beforehand.

    Either `script` (a file of the snapshot, run by a Python interpreter) or `command` (a
    command line as a list) is set. `requirements` is the path of a requirements file in
    the snapshot, or a tuple of requirement lines, or None for the worker's own packages.
    """

    script: str = ""
    command: Sequence[str] = ()
    arguments: Sequence[str] = ()
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    requirements: str | Sequence[str] | None = None
    interpreter_path: str = ""
    compute_target: str = "local"

    tags: Mapping[str, str | None] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    display_name: str = ""
    description: str = ""

    max_run_duration_seconds: int | None = None
    # Of each process; of these and those of the compute target the lower ones hold.
    memory_bytes: int | None = None
    process_count: int | None = None
    cpu_seconds: int | None = None
    file_bytes: int | None = None
    priority: int = 0
    not_before: datetime | None = None
    max_retries: int = 0
    retries_lost_workers: bool = False


def check(config: ScriptRunConfig, *, members: Collection[str] | None) -> None:
    """Raise InvalidInput, naming the field, unless `config` makes sense for a snapshot with the files `members`."""
    _check_what_to_execute(config, members)
    _check_environment(config.environment_variables)
    _check_requirements(config.requirements, members)
    checks.text(config.interpreter_path, field="interpreter_path", limit=limits.ARTIFACT_PATH_LENGTH)
    checks.text(config.display_name, field="display_name", limit=limits.DISPLAY_NAME_LENGTH)
    checks.text(config.description, field="description", limit=limits.DESCRIPTION_LENGTH)
    for name, (lowest, highest) in _LIMITS.items():
        value = getattr(config, name)
        if value is not None:
            _check_range(value, field=name, lowest=lowest, highest=highest)
    _check_range(config.priority, field="priority", lowest=-limits.PRIORITY, highest=limits.PRIORITY)
    _check_range(config.max_retries, field="max_retries", lowest=0, highest=100)


def _check_what_to_execute(config: ScriptRunConfig, members: Collection[str] | None) -> None:
    if bool(config.script) == bool(config.command):
        raise InvalidInput(say("Name either a script or a command."), field="script")
    if config.script:
        storage.check_path(config.script, field="script")
        if members is None:
            raise InvalidInput(
                say("The script {script!r} needs a snapshot to be in.", script=config.script), field="snapshot"
            )
        _check_is_member(config.script, members, field="script")
    for name, words in (("command", config.command), ("arguments", config.arguments)):
        checks.count(len(words), field=name, limit=limits.ARGUMENTS_PER_RUN)
        for word in words:
            checks.text(word, field=name, limit=limits.ARGUMENT_LENGTH)
        if sum(len(word.encode()) + 1 for word in words) > _LONGEST_ARGUMENTS:
            raise InvalidInput(
                say("{name} is longer than {most:,} bytes in all.", name=name, most=_LONGEST_ARGUMENTS), field=name
            )
    if config.command and not config.command[0].strip():
        raise InvalidInput(say("The command begins with an empty word."), field="command")


def _check_environment(variables: Mapping[str, str]) -> None:
    field = "environment_variables"
    checks.count(len(variables), field=field, limit=limits.ENVIRONMENT_VARIABLES_PER_RUN)
    size = 0
    for name, value in variables.items():
        if not _VARIABLE.fullmatch(name):
            raise InvalidInput(say("{name!r} is no name of an environment variable.", name=name[:100]), field=field)
        checks.text(value, field=f"{field}.{name}", limit=_LONGEST_VARIABLE)
        size += len(name) + len(value.encode())
    if size > _LONGEST_ENVIRONMENT:
        raise InvalidInput(
            say("{field} is longer than {most:,} bytes in all.", field=field, most=_LONGEST_ENVIRONMENT), field=field
        )


def _check_requirements(requirements: str | Sequence[str] | None, members: Collection[str] | None) -> None:
    field = "requirements"
    if requirements is None:
        return
    if isinstance(requirements, str):
        storage.check_path(requirements, field=field)
        _check_is_member(requirements, members or (), field=field)
        return
    checks.count(len(requirements), field=field, limit=_REQUIREMENTS)
    for line in requirements:
        checks.text(line, field=field, limit=_REQUIREMENT_LENGTH)
        if not line.isprintable():
            raise InvalidInput(
                say("{line!r} is not one requirement: expected one line each.", line=line[:100]), field=field
            )


def _check_is_member(path: str, members: Collection[str], *, field: str) -> None:
    if path not in members:
        some = ", ".join(sorted(members)[:5])
        raise InvalidInput(
            say(
                "There is no file {path!r} in the snapshot, which holds {some}.", path=path, some=some or say("nothing")
            ),
            field=field,
        )


def _check_range(value: int, *, field: str, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise InvalidInput(
            say(
                "{field} is {value}; expected {lowest:,} to {highest:,}.",
                field=field,
                value=value,
                lowest=lowest,
                highest=highest,
            ),
            field=field,
        )
