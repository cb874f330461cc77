"""One request: who asks, in which workspace, with which fields; and every answer in MLflow's form.

Plain views and no NinjaAPI: each address exists four times, the
messages are MLflow's, and a batch of a thousand points is read by the loop that stores it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db.models import F
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from runs import log_context, permissions
from runs.actions import experiments
from runs.api.callers import Caller, RunTokenRefused
from runs.api.mlflow import auth, errors, shapes
from runs.api.mlflow.fields import Fields
from runs.models import Experiment, Run, Workspace
from runs.models.run import RunQuerySet
from runs.prepared import Prepared

ACTOR = "mlflow"


def _runs() -> RunQuerySet:
    return Run.objects.select_related(*shapes.RELATIONS).only(*shapes.COLUMNS)


# Whose call it is decides which of the two is asked. A member's role comes along.
_role = F("workspace__memberships__role")
_any_run = Prepared(lambda run_id: _runs().filter(run_id=run_id))
_visible_run = Prepared(
    lambda run_id, user_id: (
        _runs().filter(workspace__memberships__user_id=user_id, run_id=run_id).annotate(role_of_caller=_role)
    )
)
_any_experiment = Prepared(lambda pk: Experiment.objects.select_related("workspace").filter(pk=pk))
_visible_experiment = Prepared(
    lambda pk, user_id: (
        Experiment.objects.select_related("workspace")
        .filter(workspace__memberships__user_id=user_id, pk=pk)
        .annotate(role_of_caller=_role)
    )
)


@dataclass
class Call:
    """A request of a known caller. `workspace_name` is that of the address, if it names one."""

    request: HttpRequest
    caller: Caller
    workspace_name: str

    @cached_property
    def fields(self) -> Fields:
        """The fields of the body, or of the query where there is no body."""
        if self.request.method == "GET":
            query = self.request.GET
            return Fields({name: found if len(found) > 1 else found[0] for name, found in query.lists() if found})
        body = self.request.body
        if self.request.method == "DELETE" and not body:
            return Fields({})
        if self.request.content_type != "application/json":
            raise errors.MlflowError(errors.BAD_REQUEST, "Bad Request. Content-Type must be 'application/json'.")
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError):
            raise errors.MlflowError(errors.BAD_REQUEST, "The body is no JSON.") from None
        if not isinstance(parsed, dict):
            raise errors.MlflowError(errors.BAD_REQUEST, "The body is no JSON object.")
        return Fields(parsed)

    @cached_property
    def workspace(self) -> Workspace:
        """The workspace of the address, of the run's token, or else the caller's first."""
        return self.caller.workspace(self.workspace_name)

    def workspace_to_change(self) -> Workspace:
        """Return that workspace if the caller may contribute to it."""
        permissions.check_can_contribute(self.caller.user, self.workspace)
        return self.workspace

    def is_elsewhere(self, workspace: Workspace) -> bool:
        """Return whether the address names another workspace."""
        return bool(self.workspace_name) and workspace.name != self.workspace_name

    def run(self, run_id: str) -> Run:
        """Return the run `run_id` with what its document shows, if the caller may see it."""
        user = self.caller.user
        run = _any_run.first(run_id) if user.is_superuser else _visible_run.first(run_id, user.pk)
        if run is None or self.is_elsewhere(run.workspace) or not self.caller.reaches(run):
            raise errors.absent(f"Run with id={run_id[:300]} not found")
        log_context.add(run_id=run.run_id)
        return run

    def runs(self) -> RunQuerySet:
        """Return the runs that the caller may see at this address."""
        queryset = self.caller.runs(Run.objects.visible_to(self.caller.user))
        return queryset.filter(workspace__name=self.workspace_name) if self.workspace_name else queryset

    def run_to_change(self, run_id: str, *, even_deleted: bool = False) -> Run:
        """Return the run `run_id` if the caller may change it; one that was deleted takes nothing more."""
        run = self.run(run_id)
        if even_deleted:
            self.caller.check_can_change(run)
        else:
            self.check_can_write(run)
        return run

    def experiment(self, experiment_id: str) -> Experiment:
        """Return the experiment of this id, if the caller may see it; `0` is made on first use."""
        if experiment_id == "0":
            return self.default_experiment()
        user, own, found = self.caller.user, self.caller.own_run, None
        if experiment_id.isascii() and experiment_id.isdigit() and len(experiment_id) < 19:
            pk = int(experiment_id)
            found = _any_experiment.first(pk) if user.is_superuser else _visible_experiment.first(pk, user.pk)
        if found is None or self.is_elsewhere(found.workspace) or (own and own.experiment_id != found.pk):
            raise errors.absent(f"No Experiment with id={experiment_id[:100]} exists")
        return found

    def experiment_to_change(self, experiment_id: str) -> Experiment:
        """Return the experiment of this id if the caller may change it."""
        experiment = self.experiment(experiment_id)
        self.check_is_a_person()
        permissions.check_can_contribute(self.caller.user, experiment.workspace)
        return experiment

    def check_can_write(self, run: Run) -> None:
        """Raise unless the caller may change `run`, which takes nothing more once it was deleted."""
        self.caller.check_can_change(run)
        if shapes.is_deleted(run):
            raise errors.invalid(f"The run {run.run_id} must be in the 'active' state. Current state is deleted.")

    def check_can_start(self, experiment: Experiment) -> None:
        """Raise PermissionDenied unless the caller may start runs in the experiment."""
        role = getattr(experiment, "role_of_caller", "")
        permissions.check_can_contribute(self.caller.user, experiment.workspace, role=role)

    def default_experiment(self) -> Experiment:
        """Return the experiment `Default` of the workspace, made on first use; inside a run it is the run's own."""
        if self.caller.own_run is not None:
            return self.caller.own_run.experiment
        found = Experiment.objects.filter(workspace=self.workspace, name=shapes.DEFAULT_EXPERIMENT).first()
        if found is not None:
            found.workspace = self.workspace
            return found
        if not permissions.can_contribute(self.caller.user, self.workspace):
            raise errors.absent("No Experiment with id=0 exists")
        return experiments.get_or_create(
            workspace=self.workspace, name=shapes.DEFAULT_EXPERIMENT, by=self.caller.user, at=timezone.now()
        )

    def check_is_a_person(self) -> None:
        """Raise RunTokenRefused for the token of a run."""
        if self.caller.own_run is not None:
            raise RunTokenRefused


Operation = Callable[..., dict[str, Any] | HttpResponseBase]


def view(operations: Mapping[str, Operation]) -> Callable[..., HttpResponseBase]:
    """Return the view that answers at one address, by method."""

    @csrf_exempt
    @login_not_required
    def answer(request: HttpRequest, workspace_name: str = "", **named: str) -> HttpResponseBase:
        try:
            operation = operations.get(request.method or "")
            if operation is None:
                allowed = ", ".join(sorted(operations))
                raise errors.MlflowError(
                    errors.BAD_REQUEST,
                    f"{request.method} is not possible here; try {allowed}.",
                    status=405,
                    Allow=allowed,
                )
            _check_texts(request)
            made = operation(Call(request, auth.caller_of(request), workspace_name), **named)
        except Exception as error:
            return errors.answer(request, error)
        return made if isinstance(made, HttpResponseBase) else document(made)

    return answer


def document(content: dict[str, Any]) -> HttpResponse:
    """Return an answer of JSON. What it holds is finite by construction."""
    return HttpResponse(json.dumps(content, ensure_ascii=False, separators=(",", ":")), content_type="application/json")


def _check_texts(request: HttpRequest) -> None:
    """Refuse addresses with what no database can look up."""
    if "\x00" in request.path_info or any("\x00" in value for found in request.GET.lists() for value in found[1]):
        raise errors.MlflowError(errors.BAD_REQUEST, "The address holds a NUL character.")
