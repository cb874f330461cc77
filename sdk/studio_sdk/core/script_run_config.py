"""What is submitted: a script with its folder, arguments and surroundings."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Optional, Union

from studio_sdk import values
from studio_sdk.core.runconfig import DockerConfiguration, RunConfiguration
from studio_sdk.exceptions import NotAvailable, UserErrorException


class ScriptRunConfig:
    """A script with its folder, arguments and surroundings.

    `run_config` may be changed until the submission. If it is given, `compute_target`,
    `environment` and `docker_runtime_config` are ignored, with a warning. `command` takes
    the place of the script: a list of words, or a line for the shell.

    >>> ScriptRunConfig(source_directory=".", script="train.py", arguments=["--alpha", 0.1])
    """

    def __init__(
        self,
        source_directory: Union[str, Path, None] = None,
        script: Optional[str] = None,
        arguments: Optional[list[Any]] = None,
        run_config: Optional[RunConfiguration] = None,
        _telemetry_values: Any = None,
        compute_target: Any = None,
        environment: Any = None,
        distributed_job_config: Any = None,
        resume_from: Any = None,
        max_run_duration_seconds: Optional[int] = None,
        command: Union[str, list[Any], None] = None,
        docker_runtime_config: Optional[DockerConfiguration] = None,
    ) -> None:
        if resume_from is not None:
            raise NotAvailable(
                "Studio does not mount earlier outputs (resume_from). Fetch them at the beginning of the script: "
                "Run.get(workspace, run_id).download_files(prefix='outputs')."
            )
        if distributed_job_config is not None:
            raise NotAvailable(
                "Studio runs a script on one machine (distributed_job_config). Submit one child run for each part: "
                "Run.get_context().submit_child(...)."
            )
        if script and command:
            raise UserErrorException("Give a script or a command, one of the two.")
        if command and arguments:
            raise UserErrorException("A command holds its own arguments; leave `arguments` out.")
        self.source_directory = str(source_directory) if source_directory is not None else "."
        self.run_config = _surroundings(run_config, compute_target, environment, docker_runtime_config)
        self.script = script or self.run_config.script
        self.command = command or self.run_config.command
        self.arguments = list(self.run_config.arguments if arguments is None else arguments)
        if max_run_duration_seconds is not None:
            self.run_config.max_run_duration_seconds = max_run_duration_seconds
        if not self.script and not self.command:
            raise UserErrorException("Name a script of the source directory, or a command.")

    @property
    def max_run_duration_seconds(self) -> Optional[int]:
        """How long the run may take before it is canceled; no limit of its own where None."""
        return self.run_config.max_run_duration_seconds

    @max_run_duration_seconds.setter
    def max_run_duration_seconds(self, value: Optional[int]) -> None:
        self.run_config.max_run_duration_seconds = value

    def __repr__(self) -> str:
        return (
            f"ScriptRunConfig(source_directory={self.source_directory!r}, script={self.script!r}, "
            f"arguments={self.arguments!r}, target={self.run_config.target!r})"
        )

    def _body(self) -> dict[str, Any]:
        """Return the configuration as the API takes it. Raises UserErrorException."""
        config = self.run_config
        python = config.environment.python
        if config.node_count != 1:
            raise UserErrorException(
                f"node_count is {config.node_count}, and Studio runs a script on one machine. Set it to 1, and submit "
                "one child run for each part: Run.get_context().submit_child(...)."
            )
        variables = {**config.environment.environment_variables, **config.environment_variables}
        body: dict[str, Any] = {
            "compute_target": config.target,
            "environment_variables": {str(key): str(value) for key, value in variables.items()},
            "properties": _requested(config),
        }
        if self.command:
            body["command"] = (
                ["/bin/sh", "-c", self.command] if isinstance(self.command, str) else _words(self.command, "command")
            )
        else:
            body["script"] = Path(str(self.script)).as_posix()
            body["arguments"] = _words(self.arguments, "arguments")
        if config.max_run_duration_seconds:
            body["max_run_duration_seconds"] = int(config.max_run_duration_seconds)
        for name in ("priority", "max_retries", "memory_bytes", "process_count", "cpu_seconds", "file_bytes"):
            if getattr(config, name) is not None:
                body[name] = int(getattr(config, name))
        if config.retries_lost_workers is not None:
            body["retries_lost_workers"] = bool(config.retries_lost_workers)
        if config.not_before is not None:
            body["not_before"] = _instant(config.not_before)
        if python.interpreter_path not in (None, "", "python", "python3"):
            body["interpreter_path"] = str(python.interpreter_path)
        elif not python.user_managed_dependencies and python.conda_dependencies is not None:
            packages = [each for each in python.conda_dependencies.pip_packages if not _is_original_sdk(each)]
            if packages:
                body["requirements"] = [*python.conda_dependencies.pip_options, *packages]
        return body


def _instant(value: Union[str, datetime]) -> str:
    """Return a time with its zone, which is this machine's where none is said. Raises UserErrorException."""
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        raise UserErrorException(f"not_before is {value!r}; expected a time such as 2026-11-23T18:00.") from None
    return at.astimezone().isoformat()


def _surroundings(
    given: Optional[RunConfiguration], target: Any, environment: Any, docker: Optional[DockerConfiguration]
) -> RunConfiguration:
    config = given._copy() if given is not None else RunConfiguration()
    own = {"compute_target": target, "environment": environment, "docker_runtime_config": docker}
    if given is not None:
        ignored = [name for name, value in own.items() if value is not None]
        if ignored:
            values.warn(f"{', '.join(ignored)} ignored: run_config says it all")
        return config
    if target is not None:
        config.target = target
    if environment is not None:
        config.environment = environment
    if docker is not None:
        config.docker = docker
    return config


def _requested(config: RunConfiguration) -> dict[str, str]:
    """Return what was asked for and is recorded only, as properties; the worker warns in the run's system log."""
    properties = {}
    docker = config.environment.docker
    if docker.enabled or config.docker.use_docker:
        properties["requested.docker"] = docker.base_image or "enabled"
    dependencies = config.environment.python.conda_dependencies
    if dependencies is not None and not config.environment.python.user_managed_dependencies:
        packages = [*dependencies.conda_packages]
        if dependencies.python_version:
            packages.insert(0, f"python={dependencies.python_version}")
        if packages:
            properties["requested.conda_packages"] = ", ".join(packages)[:8_000]
    return properties


def _is_original_sdk(package: str) -> bool:
    """Whether a package is of the SDK that ours stands in for: installed, it would look for Azure."""
    return (
        package.lower()
        .replace("_", "-")
        .startswith(
            ("azureml-defaults", "azureml-core", "azureml-sdk", "azureml-train", "azureml-widgets", "azureml-pipeline")
        )
    )


def _words(given: list[Any], field: str) -> list[str]:
    if isinstance(given, str):
        raise UserErrorException(f"{field} is a list, as in ['--alpha', 0.1]; got the text {given!r}.")
    missing = [number for number, word in enumerate(given) if word is None]
    if missing:
        raise UserErrorException(f"{field}[{missing[0]}] is None; every word has a value.")
    return [str(word) for word in given]
