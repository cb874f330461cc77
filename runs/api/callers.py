"""Who asks through one of the API's dialects, and what they may reach. One place, so that all doors are alike."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import Q

from runs import permissions
from runs.errors import NotFound, PermissionDenied
from runs.models import Experiment, Run, Workspace
from runs.models.run import RunQuerySet


class RunTokenRefused(PermissionDenied):
    """The token of a run is good for that run and those below it only."""

    code = "run_token_refused"


class NotTheScript(PermissionDenied):
    """Only the script of a run, with the run's own token, may say this."""

    code = "not_the_script"


@dataclass(frozen=True)
class Caller:
    """The user of a request, and the run whose token it came with, if it is one of a run.

    The token of a run (`own_run`) acts for its submitter, and reaches less: it reads the
    tree that its run is part of, and writes to its run and what descends from it.
    """

    user: User
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
        if not self.reaches(run):
            raise NotFound(f"There is no run {run_id!r}, or it is not yours to see.", field=field)
        return run

    def run_to_change(self, run_id: str, *, field: str = "run_id") -> Run:
        """Return the run `run_id` if the caller may change it. Raises NotFound or PermissionDenied."""
        run = self.run(run_id, field=field)
        self.check_can_change(run, field=field)
        return run

    def check_can_change(self, run: Run, *, field: str = "run_id") -> None:
        """Raise PermissionDenied unless the caller may change `run`, which they may see."""
        permissions.check_can_contribute(self.user, run.workspace, role=getattr(run, "role_of_caller", ""))
        if self.own_run is not None and not _is_below(run, self.own_run):
            raise RunTokenRefused(field=field)

    def reaches(self, run: Run) -> bool:
        """Return whether the caller's token reaches `run`, which its user may see."""
        return self.own_run is None or _root(run) == _root(self.own_run)

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


def _root(run: Run) -> int:
    return run.root_id or run.pk


def _is_below(run: Run, top: Run) -> bool:
    """Return whether `run` is `top` or descends from it."""
    above: int | None = run.pk
    while above is not None and above != top.pk:
        above = Run.objects.values_list("parent_id", flat=True).get(pk=above)
    return above is not None
