"""What the shell offers for names: asked of the server, silent about every trouble, and never long."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Callable, Iterable
from typing import List

import typer

from studio_sdk.core import ComputeTarget, Experiment, Workspace

# A person has pressed the tab key and waits.
_SECONDS = 1.5
_OFFERED = 100

Ask = Callable[[Workspace], Iterable[str]]


def runs(context: typer.Context, incomplete: str) -> List[str]:
    """Return ids of the latest runs."""
    return _offer(context, incomplete, lambda room: (item["run_id"] for item in _latest(room)))


def experiments(context: typer.Context, incomplete: str) -> List[str]:
    """Return names of experiments."""
    return _offer(context, incomplete, lambda room: (each.name for each in Experiment.list(room)))


def targets(context: typer.Context, incomplete: str) -> List[str]:
    """Return names of compute targets."""
    return _offer(context, incomplete, lambda room: (each.name for each in ComputeTarget.list(room)))


def _latest(workspace: Workspace) -> Iterable[dict[str, str]]:
    params = {"workspace": workspace.name, "include_children": True, "limit": _OFFERED}
    page = workspace._client.get("/runs", params)
    items: list[dict[str, str]] = page["items"]
    return items


def _offer(context: typer.Context, incomplete: str, ask: Ask) -> List[str]:
    from studio_sdk.cli import options

    found: List[str] = []

    def fetch() -> None:
        # Anything that is printed would stand in the middle of the line that is typed.
        with contextlib.suppress(Exception), contextlib.redirect_stderr(io.StringIO()):
            given = context.params
            room = options.workspace(given.get("workspace_name"), given.get("path"))
            found.extend(name for name in ask(room) if name.startswith(incomplete))

    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    thread.join(_SECONDS)
    return found[:_OFFERED]
