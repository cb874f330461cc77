"""What flows between steps, and what is set at a submission."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Optional

from studio_sdk.exceptions import UserErrorException

if TYPE_CHECKING:
    from studio_sdk.pipeline.steps import Step

_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


def check_name(kind: str, name: Any) -> str:
    """Return the name of a parameter, an input or an output. Raises UserErrorException."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UserErrorException(f"{name!r} is no name of a {kind}: expected 1 to 100 letters, digits, `_` and `-`.")
    return name


class PipelineParameter:
    """A value that may be set at each submission. Its type is that of its default.

    >>> PipelineParameter(name="seed", default_value=7)
    """

    def __init__(self, name: str, default_value: Any = None) -> None:
        self.name = check_name("parameter", name)
        self.default_value = default_value
        self._type = _type_of(name, default_value)

    def _document(self) -> dict[str, Any]:
        if self.default_value is None:
            return {"type": self._type}
        return {"type": self._type, "default": self.default_value}

    def __str__(self) -> str:
        return f"${{{{ parameters.{self.name} }}}}"

    def __repr__(self) -> str:
        return f"PipelineParameter(name={self.name!r}, default_value={self.default_value!r})"


class PipelineData:
    """A folder that one step leaves and others read. As an argument it becomes the folder's path.

    >>> table = PipelineData("table")
    >>> PythonScriptStep("prepare.py", outputs=[table], arguments=["--out", table])
    >>> PythonScriptStep("train.py", inputs=[table], arguments=["--data", table])
    """

    def __init__(
        self,
        name: str,
        datastore: Any = None,
        output_name: Optional[str] = None,
        output_mode: Optional[str] = None,
        output_path_on_compute: Optional[str] = None,
        output_overwrite: Optional[bool] = None,
        data_type: Optional[str] = None,
        is_directory: Optional[bool] = None,
        pipeline_output_name: Optional[str] = None,
        training_output: Any = None,
        **kwargs: Any,
    ) -> None:
        self.name = check_name("PipelineData", name)
        self._producer: Optional[Step] = None

    def as_input(self, input_name: Optional[str] = None) -> _AsInput:
        """Return it as an input of another name.

        >>> PythonScriptStep("train.py", inputs=[table.as_input("data")])
        """
        return _AsInput(self, check_name("input", input_name or self.name))

    def as_mount(self) -> PipelineData:
        """Return it: a folder is always there as a folder."""
        return self

    def as_download(self, input_name: Optional[str] = None, **kwargs: Any) -> Any:
        """Return it: a folder is always there as a folder."""
        return self.as_input(input_name) if input_name else self

    def get_env_variable_name(self) -> str:
        """Return the environment variable that holds its path, in a step that reads it."""
        return f"STUDIO_INPUT_{re.sub(r'[^A-Za-z0-9]', '_', self.name).upper()}"

    def __repr__(self) -> str:
        return f"PipelineData({self.name!r})"


class OutputFileDatasetConfig(PipelineData):
    """The later name of a folder between steps."""

    def __init__(self, name: str = "output", destination: Any = None, source: Any = None, **kwargs: Any) -> None:
        super().__init__(name)

    def as_upload(self, *args: Any, **kwargs: Any) -> OutputFileDatasetConfig:
        """Return it: a folder is stored when its step has ended."""
        return self


class _AsInput:
    """A PipelineData under the name that one step knows it by."""

    def __init__(self, data: PipelineData, name: str) -> None:
        self.data = data
        self.name = name


def _type_of(name: str, value: Any) -> str:
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if value is None:
        return "string"
    kinds = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), ((list, tuple), "list"))
    for kind, word in kinds:
        if isinstance(value, kind):
            return word
    raise UserErrorException(
        f"The default of the parameter {name!r} is a {type(value).__name__}; expected a text, a number, a truth value "
        "or a list of these."
    )
