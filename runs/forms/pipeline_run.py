"""Set up pipeline run: which experiment, where, and with which parameters."""

import json
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from runs import limits
from runs.models import ComputeTarget, Experiment, Workspace
from runs.pipelines.definition import Definition, Parameter
from runs.pipelines.values import as_text
from runs.translation import translated

_LISTED_EXPERIMENTS = 200
PREFIX = "parameter-"


class ParametersForm(forms.Form):
    """A form that also asks for the parameters of a pipeline. A parameter's field is named after it."""

    def __init__(self, *args: Any, definition: Definition, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.definition = definition
        for parameter in definition.parameters:
            self.fields[PREFIX + parameter.name] = _field(parameter)

    @property
    def parameter_fields(self) -> list[forms.BoundField]:
        """Return the fields of the parameters."""
        return [self[name] for name in self.fields if name.startswith(PREFIX)]

    def clean(self) -> dict[str, Any]:
        """Read each parameter in its type."""
        fields = super().clean() or {}
        for parameter in self.definition.parameters:
            name = PREFIX + parameter.name
            text = fields.get(name)
            if text in (None, "") and parameter.type != "string":
                continue
            try:
                fields[name] = parameter.read(text)
            except ValueError as error:
                self.add_error(name, translated(error.args[0]))
        return fields

    @property
    def parameters(self) -> dict[str, Any]:
        """Return the values that were given."""
        given = {each.name: self.cleaned_data.get(PREFIX + each.name) for each in self.definition.parameters}
        return {name: value for name, value in given.items() if value not in (None, "")}


class PipelineRunForm(ParametersForm):
    """The dialog."""

    existing = forms.ChoiceField(label=gettext_lazy("Experiment"), required=False)
    new_name = forms.CharField(
        label=gettext_lazy("New experiment"),
        required=False,
        max_length=limits.EXPERIMENT_NAME_LENGTH,
        help_text=gettext_lazy("A name here makes a new experiment and is used instead of the one above."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    description = forms.CharField(
        label=gettext_lazy("Run description"),
        required=False,
        max_length=limits.DESCRIPTION_LENGTH,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    compute_target = forms.ChoiceField(label=gettext_lazy("Compute target"))
    regenerate_outputs = forms.BooleanField(label=gettext_lazy("Run every step anew, reuse nothing"), required=False)
    idempotency_key = forms.CharField(required=False, max_length=128, widget=forms.HiddenInput)

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = Experiment.objects.filter(workspace=workspace).active().order_by("-latest_submitted_at", "-id")
        names = list(found.values_list("name", flat=True)[:_LISTED_EXPERIMENTS])
        targets = list(ComputeTarget.objects.enabled().order_by("pk").values_list("name", flat=True))
        for name, choices in (("existing", ["", *names]), ("compute_target", targets)):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
            field.choices = [(each, each or _("Choose one")) for each in choices]
        default = self.definition.default_compute_target
        self.initial.setdefault("compute_target", default if default in targets else next(iter(targets), ""))

    def clean(self) -> dict[str, Any]:
        """Ask for one experiment."""
        fields = super().clean()
        if not fields.get("existing") and not (fields.get("new_name") or "").strip():
            self.add_error("existing", _("Choose an experiment, or name a new one."))
        return fields

    @property
    def experiment_name(self) -> str:
        """Return the experiment that was chosen or named."""
        return self.cleaned_data["new_name"].strip() or str(self.cleaned_data["existing"])


def _field(parameter: Parameter) -> forms.Field:
    text = "" if parameter.default is None else as_text(parameter.default)
    if parameter.type == "boolean":
        return forms.ChoiceField(
            label=parameter.name,
            choices=[("true", _("true")), ("false", _("false"))],
            initial=json.dumps(parameter.default),
        )
    hints = {"list": _("A list such as [1, 2]."), "integer": _("A whole number."), "number": _("A number.")}
    return forms.CharField(
        label=parameter.name,
        required=parameter.is_required,
        initial=text,
        help_text=hints.get(parameter.type, ""),
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
    )
