"""Sign in by password or by a link, and sign out."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from runs.actions import sign_in_throttle, tokens
from runs.actions.sign_in_throttle import TooManyAttempts
from runs.forms.people import SignInForm
from runs.translation import translated
from runs.views.request import safe_next


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for name and password; the answer to a wrong one does not tell whether the name exists."""
    if request.user.is_authenticated:
        return redirect(safe_next(request, default="home"))

    form = SignInForm(request.POST or None)
    status = 200
    if form.is_valid():
        try:
            if _try(request, **form.cleaned_data):
                return redirect(safe_next(request, default="home"))
            form.add_error(None, _("The user name or the password is not right."))
            status = 422
        except TooManyAttempts as refusal:
            form.add_error(None, translated(refusal.message))
            status = 429

    context = {"form": form, "next": safe_next(request, default="home")}
    return render(request, "registration/sign_in.html", context, status=status)


@login_not_required
@never_cache
@require_http_methods(["GET", "POST"])
def sign_in_link(request: HttpRequest, secret: str) -> HttpResponse:
    """Sign in by a link that works once. Opening it shows a button: previews of links open them too."""
    if request.method != "POST":
        return render(request, "registration/sign_in_link.html")

    user = tokens.redeem_sign_in_link(secret, at=timezone.now())

    if user is None:
        return render(request, "registration/sign_in_link.html", {"is_spent": True}, status=410)
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    if not user.has_usable_password():
        messages.info(request, _("You have no password yet: choose one in the user menu, under Password."))
    return redirect("home")


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return redirect("sign_in")


def _try(request: HttpRequest, *, username: str, password: str) -> bool:
    address = request.META.get("REMOTE_ADDR", "")
    sign_in_throttle.count_attempt(username=username, address=address, at=timezone.now())
    user = authenticate(request, username=username, password=password)
    if user is None:
        return False
    sign_in_throttle.forget(username=username, address=address)
    login(request, user)
    return True
