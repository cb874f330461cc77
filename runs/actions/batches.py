"""Params, points and tags of a run in one go: the hot way of clients that log in batches."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from runs import limits, statements
from runs.actions import describing, recording, tagging
from runs.actions.recording import Point
from runs.models import Run
from runs.search import keys


def log_batch(
    *,
    run: Run,
    at: datetime,
    points: Sequence[Point] = (),
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    display_name: str | None = None,
    description: str | None = None,
) -> None:
    """Store all of it or nothing, with a number of queries that does not depend on how much it is.

    Sent again it changes nothing: points are known by step, time and value, params keep
    their value (ParamIsSet is raised for another), tags are overwritten.
    """
    is_only_points = not (params or tags) and display_name is None and description is None
    if is_only_points and len(points) == 1 and recording.add_beyond(run=run, point=points[0], at=at):
        return
    seen: keys.Seen = {}
    with transaction.atomic(), statements.together():
        if params:
            recording.store_params(run=run, params=params, seen=seen)
        if points:
            recording.store_points(run=run, points=points, at=at, seen=seen, is_by_step=True)
        if tags:
            tagging.store_tags(run=run, tags=tags, seen=seen)
        keys.keep(run.workspace_id, seen)
        if display_name is not None or description is not None:
            if display_name is not None:
                display_name = display_name[: limits.DISPLAY_NAME_LENGTH]
            describing.describe(run=run, display_name=display_name, description=description)
