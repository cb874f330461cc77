"""The form of a run that is submitted again, changed: filled from that run, with what only such a form has."""

import shlex
from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from runs.actions.script_run_config import ScriptRunConfig
from runs.forms.submit import SubmitForm, lines
from runs.models import Run

SAME = "same"


class ResubmitForm(SubmitForm):
    """A new run like another one. What looks like a secret is masked: left so, its value stays."""

    params = forms.CharField(
        label=gettext_lazy("Params"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "class": "mono"}),
        help_text=gettext_lazy("One name=value on each line. They are recorded, not passed to the script."),
    )
    command = forms.CharField(
        label=gettext_lazy("Command line"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "class": "mono"}),
        help_text=gettext_lazy("Runs instead of a script. Empty it to run a script."),
    )

    def __init__(self, *args: Any, config: ScriptRunConfig, masked: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.config, self.masked = config, masked
        requirements = self.fields["requirements"]
        if config.requirements and isinstance(requirements, forms.ChoiceField):
            as_before = (SAME, _("As before: %s") % _listed(config.requirements))
            requirements.choices = [as_before, *requirements.widget.choices]
        if not config.command:
            del self.fields["command"]

    def clean_command(self) -> list[str]:
        """Return the words of the command line."""
        try:
            return shlex.split(self.cleaned_data["command"])
        except ValueError:
            raise forms.ValidationError(_("A quotation mark has no partner.")) from None

    def clean_params(self) -> dict[str, str]:
        """Return the params by name."""
        params = {}
        for line in lines(self.cleaned_data["params"]):
            name, equals, value = line.partition("=")
            if not equals or not name.strip():
                raise forms.ValidationError(_("“%s” is not of the form name=value.") % line[:100])
            params[name.strip()] = value.strip()
        return params

    def clean_environment_variables(self) -> dict[str, str]:
        """Return the variables by name, masked ones with the values that they had."""
        before = self.config.environment_variables
        given = super().clean_environment_variables()
        return {name: before[name] if value == self.masked.get(name) else value for name, value in given.items()}


def initial_of(run: Run, config: ScriptRunConfig, masked: Mapping[str, str]) -> dict[str, Any]:
    """Return what the form of `run`, which was submitted with `config`, holds at first."""
    return {
        "experiment": run.experiment.name,
        "script": config.script,
        "command": shlex.join(config.command),
        "arguments": shlex.join(str(argument) for argument in config.arguments),
        "compute_target": config.compute_target,
        "requirements": SAME if config.requirements else "none",
        "environment_variables": _pairs(masked),
        "tags": _pairs(config.tags),
        "params": _pairs(config.params),
        "display_name": config.display_name,
        "description": config.description,
        "max_run_duration_seconds": _seconds(config.max_run_duration_seconds),
        "memory_bytes": config.memory_bytes,
        "process_count": config.process_count,
        "cpu_seconds": _seconds(config.cpu_seconds),
        "file_bytes": config.file_bytes,
        "priority": config.priority or None,
        "max_retries": config.max_retries or None,
        "retries_lost_workers": config.retries_lost_workers,
    }


def _pairs(held: Any) -> str:
    return "\n".join(key if value is None else f"{key}={value}" for key, value in sorted(held.items()))


def _seconds(amount: int | None) -> str:
    return f"{amount}s" if amount else ""


def _listed(requirements: Any) -> str:
    text = requirements if isinstance(requirements, str) else ", ".join(requirements)
    return text if len(text) < 60 else text[:57] + "..."
