"""Where and how a script is run."""

from __future__ import annotations

import copy
from datetime import datetime
from pathlib import Path
from typing import Any, Optional, Union

from studio_sdk import yaml_files
from studio_sdk.core._sections import Section
from studio_sdk.core.environment import Environment
from studio_sdk.exceptions import UserErrorException

FOLDER = ".azureml"
_SUFFIXES = ("", ".runconfig", ".json", ".yml", ".yaml")


class HistoryConfiguration(Section):
    """What is kept of a run. Outputs, logs and the snapshot always are."""

    def __init__(self) -> None:
        self.output_collection = True
        self.snapshot_project = True
        self.directories_to_watch = ["logs"]


class DockerConfiguration(Section):
    """What was asked of Docker. It is recorded with the run, which goes on without it."""

    def __init__(
        self,
        use_docker: bool = False,
        shared_volumes: bool = True,
        arguments: Optional[list[str]] = None,
        shm_size: Optional[str] = None,
    ) -> None:
        self.use_docker = use_docker
        self.shared_volumes = shared_volumes
        self.arguments = list(arguments or [])
        self.shm_size = shm_size


# How a configuration file names what decides about a run's place in line, its retries and limits.
_LINE = {
    "priority": "priority",
    "max_retries": "maxRetries",
    "retries_lost_workers": "retriesLostWorkers",
    "not_before": "notBefore",
    "memory_bytes": "memoryBytes",
    "process_count": "processCount",
    "cpu_seconds": "cpuSeconds",
    "file_bytes": "fileBytes",
}


class RunConfiguration:
    """Where and how a script is run.

    >>> run_config = RunConfiguration()
    >>> run_config.target = "gpu-compute"
    >>> run_config.environment_variables["BATCH"] = "32"
    """

    def __init__(
        self,
        script: Optional[str] = None,
        arguments: Optional[list[Any]] = None,
        framework: Optional[str] = None,
        communicator: Optional[str] = None,
        conda_dependencies: Any = None,
        _history_enabled: Optional[bool] = None,
        _path: Optional[str] = None,
        _name: Optional[str] = None,
        command: Union[str, list[str], None] = None,
    ) -> None:
        self.script = script
        self.command = command
        self.arguments: list[Any] = list(arguments or [])
        self.framework = framework or "Python"
        self.communicator = communicator or "None"
        self._target = "local"
        self.node_count = 1
        self.max_run_duration_seconds: Optional[int] = None
        self.priority: Optional[int] = None
        # Retries after a failure, and whether a lost worker is one; not to be started before a time.
        self.max_retries: Optional[int] = None
        self.retries_lost_workers: Optional[bool] = None
        self.not_before: Union[str, datetime, None] = None
        # Limits of the run.
        self.memory_bytes: Optional[int] = None
        self.process_count: Optional[int] = None
        self.cpu_seconds: Optional[int] = None
        self.file_bytes: Optional[int] = None
        self.environment = Environment("project_environment")
        self.environment_variables: dict[str, str] = {}
        self.history = HistoryConfiguration()
        self.docker = DockerConfiguration()
        if conda_dependencies is not None:
            self.environment.python.conda_dependencies = conda_dependencies
        self._unknown: dict[str, Any] = {}

    @property
    def target(self) -> str:
        """The name of the compute target; may be set to a name or a ComputeTarget."""
        return self._target

    @target.setter
    def target(self, value: Any) -> None:
        self._target = target_name(value)

    def save(
        self, path: Union[str, Path, None] = None, name: Optional[str] = None, separate_environment_yaml: bool = False
    ) -> None:
        """Write the configuration as `.azureml/NAME.runconfig` below a folder, for `studio run submit-script -c NAME`.

        >>> run_config.save(name="sklearn")
        """
        folder = Path(path or ".")
        if folder.suffix == ".runconfig" and name is None:
            folder, name = folder.parent, folder.stem
        elif folder.name != FOLDER:
            folder = folder / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        stem = name or self._target
        content = self._as_dict()
        if separate_environment_yaml:
            environment = folder / f"{stem}_environment.yml"
            environment.write_text(yaml_files.dump(content["environment"]), encoding="utf-8")
            content["environment"] = environment.name
        (folder / f"{stem}.runconfig").write_text(yaml_files.dump(content), encoding="utf-8")

    @staticmethod
    def load(path: Union[str, Path, None] = None, name: Optional[str] = None) -> RunConfiguration:
        """Return the configuration from a file, or of that name below a folder. YAML or JSON, complete or not.

        >>> RunConfiguration.load(".", "sklearn")
        """
        return RunConfiguration._from_file(find(Path(path or "."), name))

    @staticmethod
    def _from_file(file: Path) -> RunConfiguration:
        content = yaml_files.read(file)
        if not isinstance(content, dict):
            raise UserErrorException(f"{file} is no run configuration: expected keys such as script and target.")
        if isinstance(content.get("environment"), str):
            content["environment"] = yaml_files.read(file.parent / content["environment"])
        return RunConfiguration._from_dict(content, file.parent)

    @staticmethod
    def _from_dict(content: dict[str, Any], folder: Path) -> RunConfiguration:
        known = dict(content)
        config = RunConfiguration(
            script=known.pop("script", None),
            arguments=known.pop("arguments", None),
            framework=known.pop("framework", None),
            communicator=known.pop("communicator", None),
            command=known.pop("command", None) or None,
        )
        config.target = known.pop("target", None) or "local"
        config.node_count = known.pop("nodeCount", None) or 1
        config.max_run_duration_seconds = known.pop("maxRunDurationSeconds", None)
        for name, key in _LINE.items():
            setattr(config, name, known.pop(key, None))
        root = folder.parent if folder.name in (FOLDER, "aml_config") else folder
        config.environment = Environment._from_dict(known.pop("environment", None), root)
        config.environment_variables = {
            str(key): str(value) for key, value in (known.pop("environmentVariables", None) or {}).items()
        }
        config.history._update(known.pop("history", None) or {})
        config.docker._update(known.pop("docker", None) or {})
        config._unknown = known
        return config

    def _as_dict(self) -> dict[str, Any]:
        return {
            "script": self.script,
            "command": self.command,
            "arguments": [str(argument) for argument in self.arguments],
            "target": self.target,
            "framework": self.framework,
            "communicator": self.communicator,
            "maxRunDurationSeconds": self.max_run_duration_seconds,
            "nodeCount": self.node_count,
            **self._line(),
            "environment": self.environment._as_dict(),
            "environmentVariables": dict(self.environment_variables),
            "history": self.history._as_dict(),
            "docker": self.docker._as_dict(),
            **self._unknown,
        }

    def _line(self) -> dict[str, Any]:
        line = {key: getattr(self, name) for name, key in _LINE.items()}
        if isinstance(self.not_before, datetime):
            line["notBefore"] = self.not_before.astimezone().isoformat()
        # What Azure ML's files do not have is left out where it is not set.
        return {key: value for key, value in line.items() if value is not None or key == "priority"}

    def _copy(self) -> RunConfiguration:
        return copy.deepcopy(self)

    def __repr__(self) -> str:
        return f"RunConfiguration(target={self.target!r}, script={self.script!r}, arguments={self.arguments!r})"


def find(path: Path, name: Optional[str]) -> Path:
    """Return the file of the configuration `name` below the folder `path`, or `path` if it is the file."""
    if name is None:
        if path.is_file():
            return path
        raise UserErrorException(f"{path} is no file; name the run configuration: load(path, name).")
    for folder in (path / FOLDER, path / "aml_config", path):
        for suffix in _SUFFIXES:
            if (folder / f"{name}{suffix}").is_file():
                return folder / f"{name}{suffix}"
    there = sorted({file.stem for file in (path / FOLDER).glob("*.runconfig")})
    raise UserErrorException(
        f"There is no run configuration {name!r} in {path / FOLDER}; there are: {', '.join(there) or 'none'}."
    )


def target_name(value: Any) -> str:
    """Return the name of a compute target that is given as a name, an object or nothing."""
    name = "local" if value is None else getattr(value, "name", value)
    if not isinstance(name, str) or not name:
        raise UserErrorException(f"A compute target is a name or a ComputeTarget; got {value!r}.")
    return name
