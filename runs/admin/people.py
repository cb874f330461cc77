"""Users, and the secrets that let them in, in the console. No secret is shown, and no digest of one."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from runs.actions import tokens
from runs.admin.base import ReadOnlyAdmin, act_on_each
from runs.models import ApiToken, LoginCode, Preferences, SignInFailure, SignInLink

admin.site.unregister(User)


@admin.register(User)
class StudioUserAdmin(UserAdmin):
    """Django's own, without deletion: who leaves is made inactive, and what they ran keeps their name."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False


@admin.register(Preferences)
class PreferencesAdmin(ReadOnlyAdmin):
    """What users chose for their pages; they change it there."""

    list_display = ("user", "language", "time_zone", "has_shortcuts")
    list_filter = ("language",)
    list_select_related = ("user",)
    search_fields = ("=user__username",)


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """Tokens of users and of attempts at runs. They are made on the Tokens page and revoked here too."""

    list_display = ("prefix", "name", "user", "run", "created_at", "expires_at", "used_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user", "run")
    search_fields = ("=user__username",)
    exclude = ("digest",)
    actions = ("revoke",)

    @admin.action(permissions=["operate"], description=_("Revoke"))
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        """Make the chosen tokens useless."""
        at = timezone.now()
        act_on_each(self, request, queryset, lambda token: tokens.revoke(token=token, at=at), done=_("Revoked"))


@admin.register(SignInLink)
class SignInLinkAdmin(ReadOnlyAdmin):
    """Which links were made, and whether they were used."""

    list_display = ("user", "created_at", "expires_at", "used_at")
    list_select_related = ("user",)
    search_fields = ("=user__username",)
    exclude = ("digest",)


@admin.register(LoginCode)
class LoginCodeAdmin(ReadOnlyAdmin):
    """Command lines that were let in by a browser lately."""

    list_display = ("user", "name", "created_at", "expires_at", "used_at")
    list_select_related = ("user",)
    search_fields = ("=user__username",)
    exclude = ("digest", "challenge")


@admin.register(SignInFailure)
class SignInFailureAdmin(ReadOnlyAdmin):
    """Refused attempts to sign in, which slow down the next one."""

    list_display = tuple(field.name for field in SignInFailure._meta.fields)
