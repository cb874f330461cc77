"""The `log` family, the same for a run on a server and for one that is offline."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Optional, Union

from studio_sdk import values
from studio_sdk.exceptions import UserErrorException


class MetricLogger:
    """Checks values and hands them on as points. Logging never waits for the server and never fails for its sake."""

    def _put(self, name: str, kind: str, value: Any, step: Optional[int]) -> None:
        raise NotImplementedError

    def _put_image(self, name: str, data: bytes, suffix: str, step: Optional[int]) -> None:
        raise NotImplementedError

    def log(self, name: str, value: Any, description: str = "", step: Optional[int] = None) -> None:
        """Log one number or text. Logged again under the same name, the values make a series.

        >>> run.log("accuracy", 0.91, step=3)
        """
        kind = type(value)
        if kind is float or kind is int:
            if type(name) is not str or not 0 < len(name) <= values.NAME_LENGTH or name.isspace():
                values.check_name(name)
            if step is not None:
                step = _step(step)
            self._put(
                name, "number", value if kind is float or -_EXACT < value < _EXACT else values.scalar(value), step
            )
            return
        self._put_scalar(values.check_name(name), values.scalar(value), None if step is None else _step(step))

    def log_list(self, name: str, value: Iterable[Any], description: str = "") -> None:
        """Log every element of a list, an array or a generator as the next value of a series.

        >>> run.log_list("accuracies", [0.5, 0.7, 0.9])
        """
        values.check_name(name)
        for element in values.series(name, value):
            self._put_scalar(name, element, None)

    def log_row(self, name: str, description: Optional[str] = None, **kwargs: Any) -> None:
        """Log one row of a table; each keyword is a column.

        >>> run.log_row("losses", epoch=3, train=0.2, valid=0.3)
        """
        self._put(values.check_name(name), "row", values.row(name, kwargs), None)

    def log_table(self, name: str, value: Mapping[str, Any], description: str = "") -> None:
        """Log a table, given by its columns.

        >>> run.log_table("sine", {"angle": [0, 1.57], "sine": [0.0, 1.0]})
        """
        values.check_name(name)
        for row in values.table(name, value):
            self._put(name, "row", row, None)

    def log_image(
        self,
        name: str,
        path: Union[str, Path, None] = None,
        plot: Any = None,
        description: str = "",
        step: Optional[int] = None,
    ) -> None:
        """Log an image: a file, or a figure of matplotlib (also the module `pyplot`, for its current figure).

        >>> run.log_image("residuals", plot=plt)
        """
        values.check_name(name)
        if (path is None) == (plot is None):
            raise UserErrorException("log_image takes a path or a plot, one of the two.")
        if path is not None:
            try:
                data, suffix = Path(path).read_bytes(), Path(path).suffix or ".png"
            except OSError as error:
                raise UserErrorException(f"{path} can not be read: {error.strerror}.") from error
        else:
            if not hasattr(plot, "savefig"):
                raise UserErrorException(f"A plot is a figure or the module pyplot; got a {type(plot).__name__}.")
            buffer = io.BytesIO()
            plot.savefig(buffer, format="png", bbox_inches="tight")
            data, suffix = buffer.getvalue(), ".png"
        self._put_image(name, data, suffix, None if step is None else _step(step))

    def log_confusion_matrix(self, name: str, value: Union[str, Mapping[str, Any]], description: str = "") -> None:
        """Log a confusion matrix: a document, or its JSON text, with schema_type, schema_version and data.

        >>> run.log_confusion_matrix("test", {"schema_type": "confusion_matrix", "schema_version": "1.0.0",
        ...     "data": {"class_labels": ["no", "yes"], "matrix": [[9, 1], [2, 8]]}})
        """
        self._put_document(name, value)

    def log_accuracy_table(self, name: str, value: Union[str, Mapping[str, Any]], description: str = "") -> None:
        """Log a table of counts by threshold, from which ROC and precision-recall curves are drawn.

        >>> run.log_accuracy_table("test", {"schema_type": "accuracy_table", "schema_version": "1.0.1", "data": {}})
        """
        self._put_document(name, value)

    def log_residuals(self, name: str, value: Union[str, Mapping[str, Any]], description: str = "") -> None:
        """Log a histogram of residuals.

        >>> run.log_residuals("test", {"schema_type": "residuals", "schema_version": "1.0.0",
        ...     "data": {"bin_edges": [-1, 0, 1], "bin_counts": [4, 6]}})
        """
        self._put_document(name, value)

    def log_predictions(self, name: str, value: Union[str, Mapping[str, Any]], description: str = "") -> None:
        """Log true and predicted values, in bins.

        >>> run.log_predictions("test", {"schema_type": "predictions", "schema_version": "1.0.0",
        ...     "data": {"bin_averages": [0.2], "bin_errors": [0.1], "bin_counts": [10], "bin_edges": [0, 1]}})
        """
        self._put_document(name, value)

    def _put_scalar(self, name: str, value: Any, step: Optional[int]) -> None:
        self._put(name, "text" if isinstance(value, str) else "number", value, step)

    def _put_document(self, name: str, value: Union[str, Mapping[str, Any]]) -> None:
        self._put(values.check_name(name), "document", values.document(name, value), None)


# Integers up to here are exact as floats, and need no look.
_EXACT = 1 << 53


def _step(step: Any) -> int:
    """Return the step as an integer of Python."""
    if type(step) is int:
        return step
    try:
        number = values.scalar(step)
        if isinstance(number, str) or not math.isfinite(number) or int(number) != number:
            raise UserErrorException(f"A step is a whole number; got {step!r}.")
    except UserErrorException as error:
        raise UserErrorException(f"A step is a whole number; got {step!r}.") from error
    return int(number)


def shown(kind: str, value: Any) -> str:
    """Return a logged value as a line of text."""
    return json.dumps(value) if kind == "row" else str(value)
