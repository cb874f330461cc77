"""Language, time zone and keys, as one user wants them; and the list of the keys."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views import i18n
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from runs.forms.people import PreferencesForm
from runs.models import Preferences
from runs.views.request import SignedInRequest

# For who is not signed in: a cookie remembers it.
set_language = login_not_required(require_POST(i18n.set_language))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: SignedInRequest) -> HttpResponse:
    """Show what the user chose, or keep what they choose now."""
    held = Preferences.objects.filter(user=request.user).first() or Preferences(user=request.user)

    browser_zone = request.COOKIES.get("timezone") or settings.TIME_ZONE
    form = PreferencesForm(request.POST or None, instance=held, browser_zone=browser_zone)
    if form.is_valid():
        form.save()
        with translation.override(held.language or translation.get_language_from_request(request)):
            messages.success(request, _("Your preferences are kept."))
        return redirect("preferences")

    return render(request, "preferences/preferences.html", {"form": form}, status=422 if form.is_bound else 200)


@require_safe
def shortcuts(request: SignedInRequest) -> HttpResponse:
    """List the keys: the page behind the dialog that `?` opens."""
    return render(request, "preferences/shortcuts.html")
