"""A draft as forms: one of the whole pipeline, one of each step. The Designer's panes are made of the same."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from runs import limits
from runs.forms import pipeline_text
from runs.forms.submit import SubmitForm
from runs.models import ComputeTarget

_AREA = {"rows": 2, "spellcheck": "false", "class": "mono"}


def _text(label: Any, kind: str = "text", hint: Any = "", **attributes: Any) -> forms.CharField:
    """Return a field of `kind` that is never wrong by itself: the checks of a pipeline say what is."""
    is_area = kind in ("lines", "pairs", "wires", "requirements", "parameters")
    widget = forms.Textarea if is_area else forms.TextInput
    marks = (_AREA if is_area else {"spellcheck": "false", "autocomplete": "off"}) | {"data-kind": kind} | attributes
    return forms.CharField(label=label, required=False, strip=False, help_text=hint, widget=widget(attrs=marks))


def _number(label: Any, hint: Any = "", *, least: int = 0) -> forms.IntegerField:
    widget = forms.NumberInput(attrs={"data-kind": "number"})
    return forms.IntegerField(label=label, required=False, min_value=least, help_text=hint, widget=widget)


def _flag(label: Any, *, default: bool) -> forms.BooleanField:
    marks = {"data-kind": "flag", "data-default": "true" if default else "false"}
    return forms.BooleanField(label=label, required=False, widget=forms.CheckboxInput(attrs=marks))


class DocumentForm(forms.Form):
    """Fields of a part of a document. What was not touched is kept as it is, whatever its form."""

    defaults: Mapping[str, Any] = {}

    def __init__(self, *args: Any, part: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        self.part = dict(part or {})
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if name in ("name", "remove"):
                continue
            value, kind = self.part.get(name, self.defaults.get(name)), self.kind(name)
            self.initial.setdefault(
                name, value if isinstance(field, forms.BooleanField) else pipeline_text.write(kind, value)
            )
        chosen = self.fields.get("compute_target") or self.fields.get("default_compute_target")
        if isinstance(chosen, forms.ChoiceField):
            names = list(ComputeTarget.objects.enabled().order_by("name").values_list("name", flat=True))
            held = self.part.get("compute_target") or self.part.get("default_compute_target")
            # A target that is gone stays chosen, and is said to be at fault.
            names += [held] if isinstance(held, str) and held not in names else []
            empty = _("The default of the pipeline") if "compute_target" in self.fields else _("None")
            chosen.choices = [("", empty), *((name, name) for name in names)]

    def kind(self, name: str) -> str:
        """Return how a field's text is read."""
        return str(self.fields[name].widget.attrs.get("data-kind", "text"))

    def changed(self) -> dict[str, Any]:
        """Return the part with what was changed in the form; an empty field is left out."""
        part = dict(self.part)
        for name in self.changed_data:
            if name in ("name", "remove"):
                continue
            value = self.cleaned_data[name]
            if isinstance(value, str):
                value = pipeline_text.read(self.kind(name), value)
            if value in (None, "") or value == self.defaults.get(name):
                part.pop(name, None)
            else:
                part[name] = value
        return part


class StepForm(DocumentForm):
    """One step."""

    defaults = {"allow_reuse": True, "continue_on_failure": False, "retries": 0}

    name = forms.CharField(
        label=_("Name"), max_length=100, widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"})
    )
    script = _text(_("Script"), hint=_("A file of the snapshot, such as train.py."))
    command = _text(_("Command"), "lines", _("Instead of a script: one word on each line."))
    snapshot = _text(_("Snapshot"), hint=_("The id of the files to run in."), **{"class": "mono"})
    arguments = _text(
        _("Arguments"),
        "lines",
        _("One on each line. ${{ parameters.x }}, ${{ inputs.x }} and ${{ outputs.x }} are filled in."),
    )
    inputs = _text(_("Inputs"), "wires", _("name = step.output on each line."))
    outputs = _text(_("Outputs"), "names", _("Names of folders that it leaves, with commas between."))
    depends_on = _text(_("Runs after"), "names", _("Steps that must have completed, though no data flows."))
    for_each = _text(_("For each"), "each", _("model = parameters.models, or model = a, b, c: a run for each value."))
    compute_target = forms.ChoiceField(label=_("Compute target"), required=False)
    params = _text(_("Params"), "pairs", _("name=value on each line, recorded on the step's run."))
    environment_variables = _text(_("Environment variables"), "pairs", _("NAME=value on each line."))
    requirements = _text(_("Packages"), "requirements", _("requirements.txt, or one package on each line."))
    interpreter_path = _text(_("Interpreter"), hint=_("A Python on the worker's machine. Empty: the worker's own."))
    retries = _number(_("Retries"))
    max_run_duration_seconds = _number(_("Maximum duration in seconds"), least=1)
    allow_reuse = _flag(_("Reuse an earlier result"), default=True)
    continue_on_failure = _flag(_("Go on if it fails"), default=False)
    remove = forms.BooleanField(label=_("Remove this step"), required=False)

    # What few need, folded away.
    FOLDED = (
        "params",
        "environment_variables",
        "requirements",
        "interpreter_path",
        "retries",
        "max_run_duration_seconds",
        "allow_reuse",
        "continue_on_failure",
    )

    @property
    def shown_fields(self) -> list[forms.BoundField]:
        """Return the fields that stand open."""
        return [self[name] for name in self.fields if name not in (*self.FOLDED, "remove")]

    @property
    def folded_fields(self) -> list[forms.BoundField]:
        """Return the fields that are folded away."""
        return [self[name] for name in self.FOLDED]


class StepFilesForm(forms.Form):
    """Files that become a step, asked for as in a new run."""

    upload = SubmitForm.base_fields["upload"]
    script = SubmitForm.base_fields["script"]
    kept_upload = SubmitForm.base_fields["kept_upload"]


class PipelineForm(DocumentForm):
    """What holds for the whole pipeline."""

    defaults = {"continue_on_step_failure": False}

    name = forms.CharField(label=_("Name"), max_length=limits.PIPELINE_NAME_LENGTH)
    description = forms.CharField(
        label=_("Description"),
        required=False,
        max_length=limits.DESCRIPTION_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3, "data-kind": "text"}),
        help_text=_("Markdown."),
    )
    default_compute_target = forms.ChoiceField(
        label=_("Default compute target"), required=False, help_text=_("Where steps run that name no other.")
    )
    parameters = _text(
        _("Parameters"),
        "parameters",
        _("name: type = default on each line. Types: string, integer, number, boolean, list."),
    )
    continue_on_step_failure = _flag(_("After a failed step, go on with what does not depend on it"), default=False)
