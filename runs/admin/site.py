"""The console as a whole: its titles, and how one gets in."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from runs.wording import say


@never_cache
@login_not_required
def login(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Send to the one sign-in page: it slows down guessing, and links lead there for who has no password."""
    if admin.site.has_permission(request):
        return redirect("admin:index")
    if request.user.is_authenticated:
        raise PermissionDenied(say("The admin console is for staff."))
    return redirect_to_login(request.GET.get("next") or reverse("admin:index"))


admin.site.login = login  # type: ignore[method-assign]
admin.site.site_header = admin.site.site_title = _("Studio: admin console")
admin.site.index_title = _("All rows")
