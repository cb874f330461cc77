"""Choose a password: the first one, or a new one."""

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from runs.actions import tokens
from runs.forms.people import FirstPasswordForm, NewPasswordForm
from runs.views.request import SignedInRequest


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def password_change(request: SignedInRequest) -> HttpResponse:
    """Set the user's password. Who has one must know it. Other sessions of the user end."""
    kind = NewPasswordForm if request.user.has_usable_password() else FirstPasswordForm
    form = kind(request.user, request.POST or None)

    if form.is_valid():
        user = form.save()
        update_session_auth_hash(request, user)
        messages.success(request, _("Your password is set. You are signed out everywhere else."))
        if form.cleaned_data["revokes_tokens"]:
            count = tokens.revoke_all(user=user, at=timezone.now())
            messages.success(
                request,
                ngettext("%(count)d API token is revoked.", "%(count)d API tokens are revoked.", count)
                % {"count": count},
            )
        else:
            messages.info(request, _("Your API tokens still work; they are listed under API tokens."))
        return redirect("home")

    return render(request, "registration/password_change.html", {"form": form}, status=422 if form.is_bound else 200)
