"""Who somebody is, and the tokens they make."""

from django import forms
from django.utils.translation import gettext_lazy as _


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


class TokenForm(forms.Form):
    """A new API token: what it is for, and how long it lives."""

    LIVES = [(30, _("30 days")), (90, _("90 days")), (365, _("1 year")), (0, _("Until it is revoked"))]

    name = forms.CharField(label=_("What it is for"), max_length=100, help_text=_("Such as: my laptop."))
    days = forms.TypedChoiceField(label=_("Good for"), choices=LIVES, coerce=int, initial=90)
