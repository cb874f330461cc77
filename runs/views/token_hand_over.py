"""Where a signed-in person lets a command line in (`studio login`). What goes to it is a code, no token."""

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from runs.actions import hand_over
from runs.forms.people import HandOverForm
from runs.views.request import SignedInRequest


@never_cache
@require_http_methods(["GET", "POST"])
def token_hand_over(request: SignedInRequest) -> HttpResponse:
    """Show who asks, with one button; POST sends the browser back to the command line with a code."""
    form = HandOverForm(request.POST if request.method == "POST" else request.GET)
    if not form.is_valid():
        return render(request, "token/token_hand_over.html", {"form": form}, status=422)

    asked = form.cleaned_data
    back = f"http://127.0.0.1:{asked['port']}/"
    if request.method == "POST":
        code = hand_over.create_code(
            user=request.user,
            name=f"studio login on {asked['machine']}",
            challenge=asked["challenge"],
            at=timezone.now(),
        )
        response = HttpResponse(status=303)
        response["Location"] = f"{back}?{urlencode({'code': code, 'state': asked['state']})}"
        return response

    context = {"form": form, "machine": asked["machine"], "days": hand_over.TOKEN_DAYS}
    response = render(request, "token/token_hand_over.html", context)
    # The form's answer leads to the command line: browsers hold that against form-action, too.
    response.form_action = back  # type: ignore[attr-defined]  # read by middleware.security_headers
    return response
