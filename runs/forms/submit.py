"""The form of a new run: what people type, turned into what the actions take. It checks shape, the actions meaning."""

import re
import shlex
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from runs import limits
from runs.actions import examples
from runs.models import ComputeTarget

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd]\s*)+")


class MultipleFiles(forms.ClearableFileInput):
    """A file field of HTML that takes several files."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Any number of files, as a list."""

    widget = MultipleFiles

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        """Return the files that were chosen; none is an empty list."""
        if not data:
            return []
        return [super(FilesField, self).clean(file, initial) for file in data]


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
    max_run_duration_seconds = forms.CharField(
        label=gettext_lazy("Maximum duration"),
        required=False,
        max_length=40,
        help_text=gettext_lazy("Such as 90s, 30m, 2h 30m or 1d. The run is stopped then. Empty: no limit."),
    )
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
        for line in _lines(self.cleaned_data["environment_variables"]):
            name, equals, value = line.partition("=")
            if not equals or not name.strip():
                raise forms.ValidationError(_("“%s” is not of the form NAME=value.") % line[:100])
            variables[name.strip()] = value
        return variables

    def clean_tags(self) -> dict[str, str | None]:
        """Return the tags by key; a word alone has no value."""
        tags: dict[str, str | None] = {}
        for line in _lines(self.cleaned_data["tags"]):
            key, equals, value = line.partition("=")
            if not key.strip():
                raise forms.ValidationError(_("“%s” has no key.") % line[:100])
            tags[key.strip()] = value.strip() if equals else None
        return tags

    def clean_max_run_duration_seconds(self) -> int | None:
        """Return the seconds, at least one."""
        text = self.cleaned_data["max_run_duration_seconds"].strip().lower()
        if not text:
            return None
        if text.isascii() and text.isdigit():
            text += "s"
        if not _DURATION.fullmatch(text):
            raise forms.ValidationError(_("Expected a duration such as 90s, 30m, 2h 30m or 1d."))
        parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
        return max(1, round(sum(float(amount) * _UNITS[unit] for amount, unit in parts)))


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
