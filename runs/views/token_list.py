"""A user's own API tokens: made, listed, revoked. The secret is shown once."""

from datetime import timedelta

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from runs.actions import tokens
from runs.forms.people import TokenForm
from runs.models import ApiToken
from runs.views.request import SignedInRequest

_SHOWN = 200


@never_cache
@require_http_methods(["GET", "POST"])
def token_list(request: SignedInRequest) -> HttpResponse:
    """List the user's tokens; POST makes one and shows its secret, on this answer and never again."""
    form = TokenForm(request.POST or None)

    secret = ""
    if form.is_valid():
        now = timezone.now()
        days = form.cleaned_data["days"]
        expires_at = now + timedelta(days=days) if days else None
        _token, secret = tokens.create_token(
            user=request.user, name=form.cleaned_data["name"], at=now, expires_at=expires_at
        )
        form = TokenForm()

    own = ApiToken.objects.filter(user=request.user, run__isnull=True).order_by("-id")[:_SHOWN]
    context = {"form": form, "tokens": own, "secret": secret, "now": timezone.now()}
    return render(request, "token/token_list.html", context, status=422 if form.is_bound else 200)


@require_POST
def token_revoke(request: SignedInRequest, token_id: int) -> HttpResponse:
    """Make one of the user's tokens useless."""
    token = ApiToken.objects.filter(user=request.user, pk=token_id, run__isnull=True).first()
    if token is None:
        raise Http404

    tokens.revoke(token=token, at=timezone.now())

    messages.success(request, _("Revoked %s.") % token)
    return redirect("token_list")
