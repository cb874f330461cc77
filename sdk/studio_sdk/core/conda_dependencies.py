"""The packages that an environment names, as a conda file lists them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Optional, Union

from studio_sdk import yaml_files
from studio_sdk.exceptions import UserErrorException


class CondaDependencies:
    """conda and pip packages. The pip packages are installed; conda packages are recorded.

    >>> CondaDependencies.create(pip_packages=["scikit-learn==1.5.2"])
    """

    def __init__(
        self,
        conda_dependencies_file_path: Union[str, Path, None] = None,
        _underlying_structure: Optional[dict[str, Any]] = None,
    ) -> None:
        content: Any = _underlying_structure
        if conda_dependencies_file_path is not None:
            content = yaml_files.read(Path(conda_dependencies_file_path))
        content = {} if content is None else content
        if not isinstance(content, dict) or not isinstance(content.get("dependencies") or [], list):
            raise UserErrorException(
                f"{conda_dependencies_file_path} is no conda file: it has no list of dependencies."
            )
        self._channels = [str(channel) for channel in content.get("channels") or []]
        self._conda: list[str] = []
        self._pip: list[str] = []
        for item in content.get("dependencies") or []:
            if isinstance(item, dict):
                self._pip += [str(package) for package in item.get("pip") or []]
            else:
                self._conda.append(str(item))

    @staticmethod
    def create(
        pip_indexurl: Optional[str] = None,
        pip_packages: Optional[Iterable[str]] = None,
        conda_packages: Optional[Iterable[str]] = None,
        python_version: Optional[str] = None,
        pin_sdk_version: bool = True,
        **kwargs: Any,
    ) -> CondaDependencies:
        """Return dependencies of the packages that are given.

        >>> CondaDependencies.create(conda_packages=["pandas"], pip_packages=["lightgbm"])
        """
        made = CondaDependencies()
        if python_version:
            made.set_python_version(python_version)
        for package in conda_packages or []:
            made.add_conda_package(package)
        if pip_indexurl:
            made.set_pip_option(f"--index-url {pip_indexurl}")
        for package in pip_packages or []:
            made.add_pip_package(package)
        return made

    @property
    def conda_packages(self) -> Iterable[str]:
        """The conda packages, Python itself left out."""
        return [package for package in self._conda if _name(package) != "python"]

    @property
    def pip_packages(self) -> Iterable[str]:
        """The pip packages, options left out."""
        return [package for package in self._pip if not package.startswith("-")]

    @property
    def pip_options(self) -> Iterable[str]:
        """The options of pip, such as --index-url."""
        return [option for option in self._pip if option.startswith("-")]

    @property
    def conda_channels(self) -> Iterable[str]:
        """The channels."""
        return list(self._channels)

    @property
    def python_version(self) -> Optional[str]:
        """The version of Python that is asked for."""
        found = next((package for package in self._conda if _name(package) == "python"), None)
        return re.sub(r"^python\s*[=<>!]*\s*", "", found) or None if found else None

    def add_conda_package(self, conda_package: str) -> None:
        """Add a conda package, or replace it by another version.

        >>> dependencies.add_conda_package("pandas=2")
        """
        self._conda = [each for each in self._conda if _name(each) != _name(conda_package)] + [conda_package]

    def add_pip_package(self, pip_package: str) -> None:
        """Add a pip package, or replace it by another version.

        >>> dependencies.add_pip_package("scikit-learn==1.5.2")
        """
        self._pip = [each for each in self._pip if _name(each) != _name(pip_package)] + [pip_package]

    def add_channel(self, channel: str) -> None:
        """Add a channel.

        >>> dependencies.add_channel("conda-forge")
        """
        if channel not in self._channels:
            self._channels.append(channel)

    def remove_conda_package(self, conda_package: str) -> None:
        """Remove a conda package.

        >>> dependencies.remove_conda_package("pandas")
        """
        self._conda = [each for each in self._conda if _name(each) != _name(conda_package)]

    def remove_pip_package(self, pip_package: str) -> None:
        """Remove a pip package.

        >>> dependencies.remove_pip_package("scikit-learn")
        """
        self._pip = [each for each in self._pip if _name(each) != _name(pip_package)]

    def set_python_version(self, version: str) -> None:
        """Ask for a version of Python. It is recorded: the run uses the worker's.

        >>> dependencies.set_python_version("3.11")
        """
        self.add_conda_package(f"python={version}")

    def set_pip_option(self, pip_option: str) -> None:
        """Add an option of pip, such as `--index-url URL`.

        >>> dependencies.set_pip_option("--pre")
        """
        if pip_option not in self._pip:
            self._pip.insert(0, pip_option)

    def save(self, path: Union[str, Path, None] = None) -> str:
        """Write a conda file; return its path.

        >>> dependencies.save("conda_dependencies.yml")
        """
        target = Path(path or ".") / "conda_dependencies.yml" if Path(path or ".").is_dir() else Path(str(path))
        target.write_text(self.serialize_to_string(), encoding="utf-8")
        return str(target)

    save_to_file = save

    def serialize_to_string(self) -> str:
        """Return the conda file as text.

        >>> print(dependencies.serialize_to_string())
        """
        return yaml_files.dump(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """Return the content of the conda file.

        >>> dependencies.as_dict()["dependencies"]
        """
        content: dict[str, Any] = {"name": "project_environment", "dependencies": [*self._conda, {"pip": self._pip}]}
        if self._channels:
            content["channels"] = self._channels
        return content


def _name(package: str) -> str:
    """Return the name of a package without its version, in one spelling."""
    plain = package.rpartition("::")[2]
    return re.split(r"[\s=<>!~;@\[]", plain.strip(), maxsplit=1)[0].lower().replace("_", "-")
