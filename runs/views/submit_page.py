"""What the two forms of a new run have in common: the empty one, and the one that is filled from another run."""

from collections.abc import Mapping
from typing import Any

from django import forms

from runs import permissions
from runs.errors import RunsError
from runs.forms.submit import SubmitForm
from runs.models import Experiment, Workspace
from runs.translation import translated
from runs.views.request import SignedInRequest

REQUIREMENTS = "requirements.txt"
_LISTED_EXPERIMENTS = 200
# What few need, folded away.
_LINE_FIELDS = ("priority", "not_before", "max_retries", "retries_lost_workers")
_LIMIT_FIELDS = ("memory_bytes", "process_count", "cpu_seconds", "file_bytes")
_TAKEN_AS_THEY_ARE = (
    *("environment_variables", "compute_target", "tags", "display_name", "description", "max_run_duration_seconds"),
    *("not_before", "retries_lost_workers", *_LIMIT_FIELDS),
)


def config_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a ScriptRunConfig stands in the form, whatever the files are."""
    return {
        **{name: fields[name] for name in _TAKEN_AS_THEY_ARE},
        "arguments": tuple(fields["arguments"]),
        "priority": fields["priority"] or 0,
        "max_retries": fields["max_retries"] or 0,
    }


def blame(form: forms.Form, error: RunsError) -> None:
    """Put what the domain refused beside the field that it is about."""
    name = {"snapshot": "upload", "path": "upload"}.get(error.field, error.field.partition(".")[0])
    form.full_clean()
    form.add_error(name if name in form.fields else None, translated(error.message))


def context(request: SignedInRequest, workspace: Workspace, form: SubmitForm) -> dict[str, Any]:
    """Return what both templates show."""
    names = Experiment.objects.filter(workspace=workspace).active().order_by("-latest_submitted_at", "-id")
    return {
        "nav": "new",
        "workspace": workspace,
        "form": form,
        "experiments": names.values_list("name", flat=True)[:_LISTED_EXPERIMENTS],
        "can_contribute": permissions.can_contribute(request.user, workspace),
        "line_fields": [form[name] for name in _LINE_FIELDS],
        "limit_fields": [form[name] for name in _LIMIT_FIELDS],
        # What has an error must be seen.
        "is_line_open": any(form[name].value() or name in form.errors for name in (*_LINE_FIELDS, *_LIMIT_FIELDS)),
    }
