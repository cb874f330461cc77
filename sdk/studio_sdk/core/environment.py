"""What a run finds around it: Python, packages, variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional, Union

from studio_sdk import yaml_files
from studio_sdk.core._sections import Section
from studio_sdk.core.conda_dependencies import CondaDependencies
from studio_sdk.exceptions import NotAvailable, UserErrorException


class PythonSection(Section):
    """Which Python, with which packages."""

    def __init__(self) -> None:
        # As in Azure ML the packages below are ours to install; none are named, so nothing is.
        self.user_managed_dependencies = False
        self.interpreter_path = "python"
        self.conda_dependencies: Optional[CondaDependencies] = CondaDependencies()
        self.conda_dependencies_file: Optional[str] = None
        self.base_conda_environment: Optional[str] = None


class DockerSection(Section):
    """What was asked of Docker. It is recorded with the run, which goes on without it."""

    def __init__(self) -> None:
        self.enabled = False
        self.base_image: Optional[str] = None
        self.base_dockerfile: Optional[str] = None
        self.arguments: list[str] = []
        self.shared_volumes = True
        self.gpu_support = True
        self.shm_size: Optional[str] = None


class SparkSection(Section):
    """Kept so that files that have it can be read; there is no Spark here."""

    def __init__(self) -> None:
        self.repositories: list[str] = []
        self.packages: list[Any] = []
        self.precache_packages = True


class Environment:
    """Python, packages and variables of a run.

    >>> environment = Environment("sklearn")
    >>> environment.python.conda_dependencies = CondaDependencies.create(pip_packages=["scikit-learn"])
    """

    def __init__(self, name: str, **kwargs: Any) -> None:
        if not isinstance(name, str) or not name:
            raise UserErrorException("An environment has a name.")
        self.name = name
        self.version: Optional[str] = None
        self.environment_variables: dict[str, str] = {}
        self.python = PythonSection()
        self.docker = DockerSection()
        self.spark = SparkSection()
        self.inferencing_stack_version: Optional[str] = None

    @staticmethod
    def from_conda_specification(name: str, file_path: Union[str, Path]) -> Environment:
        """Return an environment with the packages of a conda file.

        >>> Environment.from_conda_specification("sklearn", "conda_dependencies.yml")
        """
        environment = Environment(name)
        environment.python.conda_dependencies = CondaDependencies(file_path)
        return environment

    @staticmethod
    def from_pip_requirements(name: str, file_path: Union[str, Path], pip_version: Optional[str] = None) -> Environment:
        """Return an environment with the packages of a requirements file.

        >>> Environment.from_pip_requirements("sklearn", "requirements.txt")
        """
        try:
            lines = Path(file_path).read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise UserErrorException(f"{file_path} can not be read: {error.strerror}.") from error
        given = [line.split(" #")[0].strip() for line in lines]
        environment = Environment(name)
        environment.python.conda_dependencies = CondaDependencies.create(
            pip_packages=[line for line in given if line and not line.startswith("#")]
        )
        return environment

    @staticmethod
    def from_existing_conda_environment(name: str, conda_environment_name: str) -> Environment:
        """Raise NotAvailable: name the interpreter of that environment instead.

        >>> Environment.from_existing_conda_environment("sklearn", "myenv")
        """
        raise NotAvailable(
            "Studio does not copy conda environments. Use the environment where it lies: environment.python."
            "user_managed_dependencies = True and environment.python.interpreter_path = '/path/to/envs/"
            f"{conda_environment_name}/bin/python'."
        )

    @staticmethod
    def get(workspace: Any, name: str, version: Optional[str] = None, label: Optional[str] = None) -> Environment:
        """Raise NotAvailable: no environment is kept on the server.

        >>> Environment.get(workspace, "AzureML-Minimal")
        """
        raise NotAvailable(
            f"Studio keeps no environments on the server, so there is no {name!r} to get. Keep a conda file or a "
            "requirements file beside the script: Environment.from_pip_requirements(name, 'requirements.txt')."
        )

    @staticmethod
    def list(workspace: Any) -> dict[str, Environment]:
        """Return nothing: no environment is kept on the server.

        >>> Environment.list(workspace)
        {}
        """
        return {}

    def register(self, workspace: Any) -> Environment:
        """Return the environment itself: each run carries its own, so there is nothing to register.

        >>> environment.register(workspace).name
        """
        return self

    def clone(self, new_name: str) -> Environment:
        """Return a copy under another name.

        >>> environment.clone("sklearn-2").name
        """
        copy = Environment._from_dict(self._as_dict())
        copy.name = new_name
        return copy

    def save_to_directory(self, path: Union[str, Path], overwrite: bool = False) -> None:
        """Write the environment to a folder, as `environment.yml` and `conda_dependencies.yml`.

        >>> environment.save_to_directory("environment")
        """
        folder = Path(path)
        if folder.exists() and not overwrite:
            raise UserErrorException(f"{folder} is there already; say overwrite=True to replace what is in it.")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "environment.yml").write_text(yaml_files.dump(self._as_dict()), encoding="utf-8")
        if self.python.conda_dependencies:
            self.python.conda_dependencies.save(folder / "conda_dependencies.yml")

    @staticmethod
    def load_from_directory(path: Union[str, Path]) -> Environment:
        """Return the environment that `save_to_directory` wrote.

        >>> Environment.load_from_directory("environment")
        """
        return Environment._from_dict(yaml_files.read(Path(path) / "environment.yml"), Path(path))

    def _as_dict(self) -> dict[str, Any]:
        python = self.python._as_dict()
        python.pop("condaDependenciesFile", None)
        if self.python.conda_dependencies is not None:
            python["condaDependencies"] = self.python.conda_dependencies.as_dict()
        return {
            "name": self.name,
            "version": self.version,
            "environmentVariables": dict(self.environment_variables),
            "python": python,
            "docker": self.docker._as_dict(),
        }

    @staticmethod
    def _from_dict(content: Any, folder: Optional[Path] = None) -> Environment:
        """Return the environment of a run configuration's section, complete or not."""
        content = content or {}
        environment = Environment(content.get("name") or "project_environment")
        environment.version = content.get("version")
        environment.environment_variables = {
            str(key): str(value) for key, value in (content.get("environmentVariables") or {}).items()
        }
        python = dict(content.get("python") or {})
        inline = python.pop("condaDependencies", None)
        environment.python._update(python)
        environment.docker._update(content.get("docker") or {})
        if inline is not None:
            environment.python.conda_dependencies = CondaDependencies(_underlying_structure=inline)
        elif environment.python.conda_dependencies_file:
            file = _beside(environment.python.conda_dependencies_file, folder or Path())
            environment.python.conda_dependencies = CondaDependencies(file)
        return environment

    def __repr__(self) -> str:
        return f"Environment(Name: {self.name}, Version: {self.version})"


def _beside(name: str, folder: Path) -> Path:
    """Return a file that is named relative to the project's folder, to the file that names it, or to where we stand."""
    places = [folder, folder.parent, Path()]
    return next((place / name for place in places if (place / name).is_file()), folder / name)
