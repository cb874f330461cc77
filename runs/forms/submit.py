"""The form of a new run: what people type, turned into what the actions take. It checks shape, the actions meaning."""

import re
import shlex
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.functional import lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from runs import limits
from runs.actions import examples
from runs.models import ComputeTarget

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?")
_SIZES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd]\s*)+")


def _waits_until() -> str:
    return _("It waits in line until then (%s).") % timezone.localtime().tzname()


class MultipleFiles(forms.ClearableFileInput):
    """A file field of HTML that takes several files."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Any number of files, as a list; empty ones too, such as many an `__init__.py`."""

    widget = MultipleFiles

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_empty_file=True, **options)

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        """Return the files that were chosen; none is an empty list."""
        if not data:
            return []
        return [super(FilesField, self).clean(file, initial) for file in data]


class DurationField(forms.CharField):
    """A duration as people type it, as whole seconds, at least one."""

    def clean(self, value: Any) -> int | None:
        """Return the seconds; none for an empty field."""
        text = super().clean(value).strip().lower()
        if not text:
            return None
        if text.isascii() and text.isdigit():
            text += "s"
        if not _DURATION.fullmatch(text):
            raise forms.ValidationError(_("Expected a duration such as 90s, 30m, 2h 30m or 1d."))
        parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
        return max(1, round(sum(float(amount) * _UNITS[unit] for amount, unit in parts)))


class SizeField(forms.CharField):
    """A size as people type it, as bytes."""

    def clean(self, value: Any) -> int | None:
        """Return the bytes; none for an empty field."""
        text = super().clean(value).strip().lower()
        if not text:
            return None
        found = _SIZE.fullmatch(text)
        if not found:
            raise forms.ValidationError(_("Expected a size such as 500 MB or 2 GB."))
        return round(float(found[1]) * _SIZES[found[2]])


class SubmitForm(forms.Form):
    """A new run. `idempotency_key` makes a double click one run; `kept_upload` stands for files sent before."""

    experiment = forms.CharField(
        label=gettext_lazy("Experiment"),
        max_length=limits.EXPERIMENT_NAME_LENGTH,
        help_text=gettext_lazy("Pick one, or type a new name to make one."),
        widget=forms.TextInput(attrs={"list": "experiments", "autocomplete": "off"}),
    )
    example = forms.ChoiceField(
        label=gettext_lazy("Start from an example"),
        required=False,
        help_text=gettext_lazy("Or upload files of your own below."),
    )
    upload = FilesField(
        label=gettext_lazy("Files"),
        required=False,
        help_text=gettext_lazy("One script, several files, or one zip of a folder."),
    )
    script = forms.CharField(
        label=gettext_lazy("Script"),
        required=False,
        max_length=limits.ARTIFACT_PATH_LENGTH,
        help_text=gettext_lazy(
            "The file to run, such as train.py. Empty: the only Python file, or main.py or train.py."
        ),
    )
    arguments = forms.CharField(
        label=gettext_lazy("Arguments"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "class": "mono"}),
        help_text=gettext_lazy(
            "Split at spaces and line breaks, as a shell does. Quote what holds a space: --name 'a b'."
        ),
    )
    compute_target = forms.ChoiceField(label=gettext_lazy("Compute target"))
    requirements = forms.ChoiceField(
        label=gettext_lazy("Packages"),
        required=False,
        choices=[
            ("auto", gettext_lazy("From requirements.txt, if the files have one")),
            ("none", gettext_lazy("The worker's own packages")),
        ],
    )
    environment_variables = forms.CharField(
        label=gettext_lazy("Environment variables"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "class": "mono"}),
        help_text=gettext_lazy("One NAME=value on each line."),
    )
    tags = forms.CharField(
        label=gettext_lazy("Tags"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("One on each line: key=value, or a word alone."),
    )
    display_name = forms.CharField(
        label=gettext_lazy("Display name"), required=False, max_length=limits.DISPLAY_NAME_LENGTH
    )
    description = forms.CharField(
        label=gettext_lazy("Description"),
        required=False,
        max_length=limits.DESCRIPTION_LENGTH,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Markdown."),
    )
    max_run_duration_seconds = DurationField(
        label=gettext_lazy("Maximum duration"),
        required=False,
        max_length=40,
        help_text=gettext_lazy("Such as 90s, 30m, 2h 30m or 1d. The run is stopped then. Empty: no limit."),
    )
    priority = forms.IntegerField(
        label=gettext_lazy("Priority"),
        required=False,
        min_value=-limits.PRIORITY,
        max_value=limits.PRIORITY,
        help_text=gettext_lazy("The greatest goes first; 0 is the usual one."),
    )
    not_before = forms.DateTimeField(
        label=gettext_lazy("Not before"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=lazy(_waits_until, str)(),
    )
    max_retries = forms.IntegerField(
        label=gettext_lazy("Retries"),
        required=False,
        min_value=0,
        max_value=100,
        help_text=gettext_lazy("How often it is tried again if the script fails."),
    )
    retries_lost_workers = forms.BooleanField(
        label=gettext_lazy("Also try again if its worker is lost"),
        required=False,
        help_text=gettext_lazy("For a script that may run twice: nobody can see what a lost machine still does."),
    )
    memory_bytes = SizeField(
        label=gettext_lazy("Memory"),
        required=False,
        max_length=40,
        help_text=gettext_lazy("Of all its processes together, such as 8 GB. Empty: the limit of the compute target."),
    )
    process_count = forms.IntegerField(label=gettext_lazy("Processes"), required=False, min_value=1)
    cpu_seconds = DurationField(label=gettext_lazy("Processor time"), required=False, max_length=40)
    file_bytes = SizeField(label=gettext_lazy("Size of a file it writes"), required=False, max_length=40)
    idempotency_key = forms.CharField(required=False, max_length=128, widget=forms.HiddenInput)
    kept_upload = forms.CharField(required=False, max_length=500, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = list(ComputeTarget.objects.enabled().order_by("pk").values_list("name", flat=True))
        choices: dict[str, forms.ChoiceField] = {
            name: field for name, field in self.fields.items() if isinstance(field, forms.ChoiceField)
        }
        choices["compute_target"].choices = [(name, name) for name in names]
        choices["example"].choices = [
            ("", gettext_lazy("None: I upload files")),
            *((example.name, example.title) for example in examples.list_examples()),
        ]

    def clean_arguments(self) -> list[str]:
        """Return the arguments one by one."""
        try:
            return shlex.split(self.cleaned_data["arguments"])
        except ValueError:
            raise forms.ValidationError(_("A quotation mark has no partner.")) from None

    def clean_environment_variables(self) -> dict[str, str]:
        """Return the variables by name."""
        variables = {}
        for line in lines(self.cleaned_data["environment_variables"]):
            name, equals, value = line.partition("=")
            if not equals or not name.strip():
                raise forms.ValidationError(_("“%s” is not of the form NAME=value.") % line[:100])
            variables[name.strip()] = value
        return variables

    def clean_tags(self) -> dict[str, str | None]:
        """Return the tags by key; a word alone has no value."""
        tags: dict[str, str | None] = {}
        for line in lines(self.cleaned_data["tags"]):
            key, equals, value = line.partition("=")
            if not key.strip():
                raise forms.ValidationError(_("“%s” has no key.") % line[:100])
            tags[key.strip()] = value.strip() if equals else None
        return tags


def lines(text: str) -> list[str]:
    """Return the lines of `text` that are not empty."""
    return [line.strip() for line in text.splitlines() if line.strip()]
