"""The form of a schedule: when a published pipeline is run by itself, and what each of its runs is given."""

import json
import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from runs import limits
from runs.actions.scheduling import Plan
from runs.errors import InvalidInput
from runs.forms.pipeline_run import PREFIX, ParametersForm
from runs.pipelines import timing
from runs.pipelines.values import as_text

CRON, RECURRENCE = "cron", "recurrence"
# The fields that say when; of these, those of a recurrence are named as in its document.
RULE_FIELDS = ("rule", "cron", "frequency", "interval", "week_days", "hours", "minutes")
TIME_FIELDS = (*RULE_FIELDS, "time_zone", "starts_at", "ends_at")
_HAVE_TIMES_OF_DAY = ("Day", "Week", "Month")

_FREQUENCIES = {
    "Minute": gettext_lazy("minutes"),
    "Hour": gettext_lazy("hours"),
    "Day": gettext_lazy("days"),
    "Week": gettext_lazy("weeks"),
    "Month": gettext_lazy("months"),
}
_WEEK_DAYS = {
    "Monday": gettext_lazy("Monday"),
    "Tuesday": gettext_lazy("Tuesday"),
    "Wednesday": gettext_lazy("Wednesday"),
    "Thursday": gettext_lazy("Thursday"),
    "Friday": gettext_lazy("Friday"),
    "Saturday": gettext_lazy("Saturday"),
    "Sunday": gettext_lazy("Sunday"),
}


class NumbersField(forms.CharField):
    """Whole numbers, as a list."""

    widget = forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "inputmode": "numeric"})

    def clean(self, value: Any) -> list[int]:
        """Return the numbers; none for an empty field."""
        words = re.split(r"[\s,;]+", super().clean(value).strip(" ,;"))
        try:
            return [int(word) for word in words if word]
        except ValueError:
            raise forms.ValidationError(_("Expected whole numbers, such as 6, 18.")) from None


class WallTimeField(forms.DateTimeField):
    """A date and a time on the clock of a zone that another field names: without a zone."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"})

    def to_python(self, value: Any) -> datetime | None:
        """Return what was typed. UTC, in which it is read, has every time of day, and once."""
        with timezone.override(UTC):
            found = super().to_python(value)
        return None if found is None else found.replace(tzinfo=None)


class ScheduleForm(ParametersForm):
    """A schedule, new or there. `schedule_id` makes a double click one schedule."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=limits.PIPELINE_NAME_LENGTH)
    rule = forms.ChoiceField(
        label=gettext_lazy("When"),
        choices=[(RECURRENCE, gettext_lazy("Every so often")), (CRON, gettext_lazy("By a cron expression"))],
        widget=forms.RadioSelect,
    )
    cron = forms.CharField(
        label=gettext_lazy("Cron expression"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("Minute, hour, day of month, month and day of week, such as 30 6 * * MON-FRI."),
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
    )
    interval = forms.IntegerField(label=gettext_lazy("Every"), required=False, min_value=1)
    frequency = forms.ChoiceField(label=gettext_lazy("Unit"), required=False, choices=list(_FREQUENCIES.items()))
    week_days = forms.MultipleChoiceField(
        label=gettext_lazy("Days of the week"),
        required=False,
        choices=list(_WEEK_DAYS.items()),
        help_text=gettext_lazy("None: the day of the start."),
        widget=forms.CheckboxSelectMultiple,
    )
    hours = NumbersField(
        label=gettext_lazy("Hours"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("From 0 to 23, such as 6, 18. Neither hours nor minutes: the time of the start."),
    )
    minutes = NumbersField(
        label=gettext_lazy("Minutes"),
        required=False,
        max_length=400,
        help_text=gettext_lazy("Of each of the hours, from 0 to 59."),
    )
    time_zone = forms.CharField(
        label=gettext_lazy("Time zone"),
        max_length=64,
        help_text=gettext_lazy("A name such as Europe/Rome or UTC. All times of this form are of this zone."),
        widget=forms.TextInput(attrs={"list": "time-zones", "autocomplete": "off", "spellcheck": "false"}),
    )
    starts_at = WallTimeField(
        label=gettext_lazy("Start"),
        required=False,
        help_text=gettext_lazy("Not before then, and what intervals count from. Empty: now."),
    )
    ends_at = WallTimeField(label=gettext_lazy("End"), required=False, help_text=gettext_lazy("Not after then."))
    catches_up = forms.BooleanField(
        label=gettext_lazy("Make up for what was missed while nothing ran"),
        required=False,
        help_text=gettext_lazy("One run after the other. Else it is skipped."),
    )
    experiment = forms.CharField(
        label=gettext_lazy("Experiment"),
        max_length=limits.EXPERIMENT_NAME_LENGTH,
        help_text=gettext_lazy("Pick one, or type a new name to make one."),
        widget=forms.TextInput(attrs={"list": "experiments", "autocomplete": "off"}),
    )
    description = forms.CharField(
        label=gettext_lazy("Description"),
        required=False,
        max_length=limits.DESCRIPTION_LENGTH,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    schedule_id = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, plan: Plan, initial: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, initial={**_texts(plan), **(initial or {})}, **kwargs)
        self._held = plan

    def clean_time_zone(self) -> str:
        """Return the name of a zone that there is."""
        name = self.cleaned_data["time_zone"].strip()
        if name not in available_timezones():
            raise forms.ValidationError(_("There is no such time zone; expected a name such as Europe/Rome or UTC."))
        return str(name)

    @property
    def plan(self) -> Plan:
        """Return what was asked for; what is not of this form, or is wrong in it, is as it was."""
        fields = self.cleaned_data
        is_cron, zone = fields.get("rule") == CRON, ZoneInfo(fields.get("time_zone", "UTC"))
        starts_at, ends_at = (
            at and at.replace(tzinfo=zone).astimezone(UTC) for at in (fields.get("starts_at"), fields.get("ends_at"))
        )
        return Plan(
            name=fields.get("name", ""),
            experiment_name=fields.get("experiment", ""),
            cron=fields.get("cron", "") if is_cron else "",
            recurrence=None if is_cron else _recurrence(fields),
            time_zone=zone.key,
            starts_at=starts_at,
            ends_at=ends_at,
            catches_up=fields.get("catches_up", False),
            description=fields.get("description", ""),
            parameters=self.parameters,
            tags=self._held.tags,
        )

    @property
    def has_wrong_times(self) -> bool:
        """Whether a field that says when is wrong."""
        return any(name in self.errors for name in TIME_FIELDS)

    @property
    def time_errors(self) -> list[tuple[Any, str]]:
        """Return what is wrong with the times: the label of the field, and the error."""
        return [(self[name].label, str(error)) for name in TIME_FIELDS for error in self[name].errors]

    def blame(self, error: InvalidInput) -> None:
        """Put an error of the actions beside its field."""
        room, _dot, rest = (error.field or "").partition(".")
        name = PREFIX + rest if room == "parameters" else rest or room
        if name == RECURRENCE:
            name = "rule"
        self.add_error(name if name in self.fields else None, error.message)


def _recurrence(fields: dict[str, Any]) -> dict[str, Any]:
    frequency = fields.get("frequency") or ""
    is_kept = {"hours": frequency in _HAVE_TIMES_OF_DAY, "minutes": frequency in _HAVE_TIMES_OF_DAY}
    is_kept["week_days"] = frequency == "Week"
    given = {name: fields[name] for name, kept in is_kept.items() if kept and fields.get(name)}
    return {"frequency": frequency, "interval": fields.get("interval") or 1, **given}


def _texts(plan: Plan) -> dict[str, Any]:
    """Return a plan as the form shows it."""
    recurrence = plan.recurrence or {}
    zone = ZoneInfo(plan.time_zone)
    parameters = {
        PREFIX + name: json.dumps(value) if isinstance(value, bool) else as_text(value)
        for name, value in (plan.parameters or {}).items()
    }
    return {
        "name": plan.name,
        "rule": CRON if plan.cron else RECURRENCE,
        "cron": plan.cron,
        "frequency": recurrence.get("frequency", timing.FREQUENCIES[2]),
        "interval": recurrence.get("interval", 1),
        "week_days": list(recurrence.get("week_days", ())),
        "hours": ", ".join(map(str, recurrence.get("hours", ()))),
        "minutes": ", ".join(map(str, recurrence.get("minutes", ()))),
        "time_zone": plan.time_zone,
        "starts_at": _wall_text(plan.starts_at, zone),
        "ends_at": _wall_text(plan.ends_at, zone),
        "catches_up": plan.catches_up,
        "experiment": plan.experiment_name,
        "description": plan.description,
        **parameters,
    }


def _wall_text(at: datetime | None, zone: ZoneInfo) -> str:
    """Return an instant as its field takes it, with seconds where there are any: saved again, it is the same."""
    if at is None:
        return ""
    wall = at.astimezone(zone).replace(tzinfo=None)
    return wall.isoformat(timespec="seconds" if wall.second else "minutes")
