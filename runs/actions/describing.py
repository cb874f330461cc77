"""What people write about a run: its display name and its description."""

from django.db import transaction

from runs import limits
from runs.actions import checks
from runs.models import Run
from runs.search import index


def describe(*, run: Run, display_name: str | None = None, description: str | None = None) -> Run:
    """Change the display name and the description; None leaves as is, empty text clears."""
    changes: dict[str, str] = {}
    if display_name is not None:
        changes["display_name"] = checks.text(
            display_name.strip(), field="display_name", limit=limits.DISPLAY_NAME_LENGTH
        )
    if description is not None:
        changes["description"] = checks.text(description, field="description", limit=limits.DESCRIPTION_LENGTH)
    if changes:
        with transaction.atomic():
            Run.objects.filter(pk=run.pk).update(**changes)
            index.refresh(run_ids=[run.pk])
        for name, value in changes.items():
            setattr(run, name, value)
    return run
