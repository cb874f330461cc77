"""Who asks, and what they may do here. Bearer tokens only: a cookie opens nothing."""

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from ninja.security import HttpBearer

from runs import permissions
from runs.actions import tokens
from runs.errors import InvalidInput, NotFound, PermissionDenied, TooLarge
from runs.models import ApiToken, Experiment, Run, Workspace
from runs.models.run import RunQuerySet

# Room for the other parts of a form, beside the snapshot.
_FORM_BYTES = 16 * 2**20
# How our own clients name themselves.
_DOORS = {"studio-sdk": "sdk", "studio-cli": "cli"}


class RunTokenRefused(PermissionDenied):
    """The token of a run is good for that run and those below it only."""

    code = "run_token_refused"


class NotTheScript(PermissionDenied):
    """Only the script of a run, with the run's own token, may say this."""

    code = "not_the_script"


@dataclass(frozen=True)
class Caller:
    """The user of a request and the token that it came with.

    The token of a run (`own_run`) acts for its submitter, and reaches less: it reads the
    tree that its run is part of, and writes to its run and what descends from it.
    """

    user: User
    token: ApiToken
    own_run: Run | None

    def workspace(self, name: str) -> Workspace:
        """Return the workspace `name`, or the default one if it is empty. Raises NotFound."""
        if self.own_run is not None:
            own = self.own_run.workspace
            if name in ("", own.name):
                return own
            raise NotFound(f"There is no workspace {name!r}, or it is not yours to see.", field="workspace")
        return permissions.get_workspace(self.user, name) if name else permissions.default_workspace(self.user)

    def workspace_to_change(self, name: str) -> Workspace:
        """Return the workspace `name` if the caller may contribute to it. Raises NotFound or PermissionDenied."""
        workspace = self.workspace(name)
        permissions.check_can_contribute(self.user, workspace)
        return workspace

    def experiment(self, workspace: Workspace, name: str) -> Experiment:
        """Return the experiment `name` of `workspace`. Raises NotFound."""
        experiment = Experiment.objects.select_related("workspace").filter(workspace=workspace, name=name).first()
        if experiment is None or (self.own_run is not None and experiment.pk != self.own_run.experiment_id):
            raise NotFound(f"There is no experiment {name!r} in the workspace {workspace.name}.", field="experiment")
        return experiment

    def run(self, run_id: str, *, field: str = "run_id") -> Run:
        """Return the run `run_id` if the caller may see it. Raises NotFound."""
        run = permissions.get_run(self.user, run_id)
        if self.own_run is not None and _root(run) != _root(self.own_run):
            raise NotFound(f"There is no run {run_id!r}, or it is not yours to see.", field=field)
        return run

    def run_to_change(self, run_id: str, *, field: str = "run_id") -> Run:
        """Return the run `run_id` if the caller may change it. Raises NotFound or PermissionDenied."""
        run = self.run(run_id, field=field)
        permissions.check_can_contribute(self.user, run.workspace)
        if self.own_run is not None and not _is_below(run, self.own_run):
            raise RunTokenRefused(field=field)
        return run

    def own_script(self, run_id: str) -> Run:
        """Return the run `run_id` if its script asks. Raises NotFound, PermissionDenied or NotTheScript."""
        run = self.run_to_change(run_id)
        if self.own_run is None or self.own_run.pk != run.pk:
            raise NotTheScript
        return run

    def parent(self, run_id: str) -> Run | None:
        """Return the run that is to get a child, or None if `run_id` is empty. A run's token must name one."""
        if not run_id and self.own_run is None:
            return None
        if not run_id:
            raise RunTokenRefused("The token of a run starts children of that run only.", field="parent_run_id")
        return self.run_to_change(run_id, field="parent_run_id")

    def runs(self, queryset: RunQuerySet) -> RunQuerySet:
        """Return those of `queryset` that the caller may see, where it is a workspace's of theirs already."""
        if self.own_run is None:
            return queryset
        root = _root(self.own_run)
        return queryset.filter(Q(pk=root) | Q(root=root))

    def check_is_a_person(self) -> None:
        """Raise RunTokenRefused for the token of a run."""
        if self.own_run is not None:
            raise RunTokenRefused


class Bearer(HttpBearer):
    """Checks `Authorization: Bearer stu_...`, and what can be refused before the request is read."""

    def authenticate(self, request: HttpRequest, token: str) -> Caller | None:
        """Return the caller, or None for a token that is not good. Raises StaleAttempt."""
        found = tokens.authenticate(token.strip(), at=timezone.now())
        if found is None:
            return None
        _check_request(request)
        own_run = permissions.get_run(found.user, found.run.run_id) if found.run else None
        return Caller(found.user, found, own_run)


def caller(request: HttpRequest) -> Caller:
    """Return who makes this request."""
    who = request.auth  # type: ignore[attr-defined]  # set by ninja from what Bearer returned
    assert isinstance(who, Caller)  # noqa: S101
    return who


def door(request: HttpRequest, said: str = "") -> str:
    """Return through which door a request comes, for the run's events: what the body says, or which client asks."""
    product = request.headers.get("User-Agent", "").partition("/")[0]
    return said or _DOORS.get(product, "api")


def _check_request(request: HttpRequest) -> None:
    """Refuse what no database can look up, and a form that is too large before it is read."""
    if "\x00" in request.path_info:
        raise NotFound
    for name, values in request.GET.lists():
        if "\x00" in name or any("\x00" in value for value in values):
            raise InvalidInput("The address holds a NUL character.", field=name.replace("\x00", ""))
    if request.content_type == "multipart/form-data":
        limit = 2 * settings.STUDIO_SNAPSHOT_BYTES + _FORM_BYTES
        if int(request.META.get("CONTENT_LENGTH") or 0) > limit:
            raise TooLarge(f"The request is larger than {limit:,} bytes.", field="snapshot")


def _root(run: Run) -> int:
    return run.root_id or run.pk


def _is_below(run: Run, top: Run) -> bool:
    """Return whether `run` is `top` or descends from it."""
    above: int | None = run.pk
    while above is not None and above != top.pk:
        above = Run.objects.values_list("parent_id", flat=True).get(pk=above)
    return above is not None
