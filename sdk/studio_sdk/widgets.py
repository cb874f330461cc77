"""What notebooks show of a run: a plain summary, in text or HTML."""

from __future__ import annotations

import html
from typing import Any

from studio_sdk.core.run import Run


class RunDetails:
    """A summary of a run, as it is when it is shown.

    >>> RunDetails(run).show()
    """

    def __init__(self, run_instance: Run) -> None:
        self.run = run_instance

    def show(self, render_lib: Any = None, widget_settings: Any = None) -> None:
        """Show the summary: as HTML in a notebook, else as text."""
        try:
            from IPython import get_ipython  # type: ignore[import-not-found,unused-ignore]
            from IPython.display import HTML, display  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            print(self)  # noqa: T201 - what was asked for is to show it
            return
        if get_ipython() is None:
            print(self)  # noqa: T201
        else:
            display(HTML(self._repr_html_()))

    def get_widget_data(self, widget_settings: Any = None) -> dict[str, Any]:
        """Return what is shown."""
        return dict(self._rows())

    def _rows(self) -> list[tuple[str, Any]]:
        document = self.run._fetch()
        rows = [
            ("Run", f"{document['experiment']} {document['run_number']}"),
            ("Id", document["run_id"]),
            ("Status", document["status"]),
            ("Reason", document["reason"]),
            ("Started", document["start_time_utc"]),
            ("Ended", document["end_time_utc"]),
            ("Error", document["error"]),
            ("Page", document["url"]),
        ]
        metrics = [(name, value) for name, value in document["metrics"].items()]
        return [(name, value) for name, value in [*rows, *metrics] if value not in (None, "")]

    def __str__(self) -> str:
        rows = self._rows()
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>" for name, value in self._rows()
        )
        return f"<table>{cells}</table>"
