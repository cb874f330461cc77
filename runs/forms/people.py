"""Who somebody is, and the tokens they make."""

import re
import zoneinfo
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from runs.actions import hand_over
from runs.models import Preferences

_AREAS = ["Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"]


class SignInForm(forms.Form):
    """A name and a password."""

    username = forms.CharField(
        label=_("User name"), max_length=150, widget=forms.TextInput({"autocomplete": "username", "autofocus": True})
    )
    # As long as any pass phrase; hashing a book would cost the server.
    password = forms.CharField(
        label=_("Password"),
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "current-password"}),
    )


class _AlsoTokens(forms.Form):
    """A new password alone ends no program's access; this asks for it."""

    revokes_tokens = forms.BooleanField(
        label=_("Also revoke my API tokens"),
        required=False,
        help_text=_("Command lines and notebooks must then sign in again. Runs go on."),
    )


class FirstPasswordForm(_AlsoTokens, SetPasswordForm):
    """A password for who has none."""


class NewPasswordForm(_AlsoTokens, PasswordChangeForm):
    """Another password for who knows the present one."""


class TokenForm(forms.Form):
    """A new API token: what it is for, and how long it lives."""

    LIVES = [(30, _("30 days")), (90, _("90 days")), (365, _("1 year")), (0, _("Until it is revoked"))]

    name = forms.CharField(label=_("What it is for"), max_length=100, help_text=_("Such as: my laptop."))
    days = forms.TypedChoiceField(label=_("Good for"), choices=LIVES, coerce=int, initial=90)


class HandOverForm(forms.Form):
    """What a command line asks with. The person fills in nothing; it goes along hidden."""

    # The port of 127.0.0.1 where it listens. No other host can be asked for.
    port = forms.IntegerField(min_value=1024, max_value=65535, widget=forms.HiddenInput)
    state = forms.CharField(
        max_length=128, validators=[RegexValidator(re.compile(r"\A[A-Za-z0-9_-]{16,128}\Z"))], widget=forms.HiddenInput
    )
    challenge = forms.CharField(
        max_length=43, validators=[RegexValidator(hand_over.CHALLENGE)], widget=forms.HiddenInput
    )
    machine = forms.CharField(
        max_length=64, validators=[RegexValidator(re.compile(r"\A[\w.-]+\Z"))], widget=forms.HiddenInput
    )


class PreferencesForm(forms.ModelForm):
    """What somebody chooses for all pages. The empty choice leaves it to the browser."""

    language = forms.ChoiceField(
        label=_("Language"), required=False, choices=[("", _("As my browser asks")), *settings.LANGUAGES]
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        required=False,
        help_text=_("All times are shown in it, and days in a search are days there. Exports are in UTC."),
    )
    has_shortcuts = forms.BooleanField(
        label=_("Single keys are shortcuts"),
        required=False,
        help_text=_("Turn this off if you speak to your computer, or if keys get pressed by mistake."),
    )

    class Meta:
        model = Preferences
        fields = ("language", "time_zone", "has_shortcuts")

    def __init__(self, *args: Any, browser_zone: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = self.fields["time_zone"]
        assert isinstance(zones, forms.ChoiceField)  # noqa: S101 - for the type checker
        zones.choices = [("", _("That of my browser: %s") % browser_zone), *((name, name) for name in time_zones())]


def time_zones() -> list[str]:
    """Return the names of the zones that people live in, and UTC."""
    return ["UTC", *sorted(name for name in zoneinfo.available_timezones() if name.split("/")[0] in _AREAS)]
