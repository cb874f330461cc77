"""Resubmit, edited: the form of a new run filled from another one, which says what differs before it is sent."""

import shlex
import uuid

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from runs import permissions, shapes
from runs.actions import experiments, git_patches, resubmission, snapshots, submission
from runs.actions.script_run_config import ScriptRunConfig
from runs.errors import NotFound, RunsError
from runs.forms.resubmit import SAME, ResubmitForm, initial_of
from runs.models import Run, RunType, Snapshot, Workspace
from runs.views import live, submit_files, submit_page
from runs.views.request import SignedInRequest
from runs.views.submit_page import REQUIREMENTS
from runs.wording import say

Difference = tuple[str, str, str]


def respond(request: SignedInRequest, workspace: Workspace, run_id: str) -> HttpResponse:
    """Show the form filled from the run; with `review` what would differ; else submit it. Part of `run_submit`."""
    source = permissions.get_run(request.user, run_id)
    if source.workspace != workspace:
        raise NotFound(say("There is no run {run_id!r} in this workspace.", run_id=run_id), field="from")
    if source.run_type not in (RunType.SCRIPT, RunType.STEP):
        raise submission.DrivenByItsClient
    config = resubmission.config_of(source)
    masked = shapes.masked(config.environment_variables)
    if request.method != "POST":
        initial = initial_of(source, config, masked) | {"idempotency_key": uuid.uuid4().hex}
        return _page(request, source, ResubmitForm(initial=initial, config=config, masked=masked), source.snapshot, [])

    permissions.check_can_contribute(request.user, workspace)

    form = ResubmitForm(request.POST, request.FILES, config=config, masked=masked)
    snapshot, differences = source.snapshot, list[Difference]()
    is_review = "review" in request.POST or live.is_partial(request)
    try:
        snapshot = _snapshot(request, source, form)
        if not form.is_valid():
            return _page(request, source, form, snapshot, [], status=422)
        changed = _config(form, config, snapshot, is_same_code=snapshot == source.snapshot)
        differences = differing(source, form.cleaned_data["experiment"].strip(), snapshot, config, changed)
        if is_review:
            return _page(request, source, form, snapshot, differences, is_reviewed=True)
        run = _submit(request, source, form, changed, snapshot)
    except RunsError as error:
        submit_page.blame(form, error)
        return _page(request, source, form, snapshot, differences, status=422)
    return redirect(run)


def differing(
    source: Run, experiment: str, snapshot: Snapshot | None, before: ScriptRunConfig, after: ScriptRunConfig
) -> list[Difference]:
    """Return what differs between the run and what the form would submit: name, before, after."""
    digests = [found.digest[:12] if found else "--" for found in (source.snapshot, snapshot)]
    pairs = [(_("Experiment"), source.experiment.name, experiment), (_("Files"), *digests)]
    shown_before, shown_after = _shown(before), _shown(after)
    pairs += [(name, shown_before[name], shown_after[name]) for name in shown_before]
    for kind, old, new in (
        (_("Param %s"), before.params, after.params),
        (_("Tag %s"), _tag_texts(before), _tag_texts(after)),
        (_("Variable %s"), *_variables(before, after)),
    ):
        pairs += [(kind % key, str(old.get(key, "--")), str(new.get(key, "--"))) for key in sorted({*old, *new})]
    return [(name, old, new) for name, old, new in pairs if old != new]


def _tag_texts(config: ScriptRunConfig) -> dict[str, str]:
    return {key: _("yes") if value is None else value for key, value in config.tags.items()}


def _variables(before: ScriptRunConfig, after: ScriptRunConfig) -> tuple[dict[str, str], dict[str, str]]:
    """Return the variables as they may be seen: of a secret only that it is another one."""
    old, new = shapes.masked(before.environment_variables), shapes.masked(after.environment_variables)
    for name, value in after.environment_variables.items():
        if name in old and before.environment_variables[name] != value and old[name] == new[name]:
            new[name] = _("another secret")
    return old, new


def _shown(config: ScriptRunConfig) -> dict[str, str]:
    requirements = config.requirements or "--"
    return {
        _("Script"): config.script or "--",
        _("Command line"): shlex.join(config.command) or "--",
        _("Arguments"): shlex.join(str(argument) for argument in config.arguments) or "--",
        _("Compute target"): config.compute_target or "--",
        _("Packages"): requirements if isinstance(requirements, str) else ", ".join(requirements),
        _("Display name"): config.display_name or "--",
        _("Description"): config.description or "--",
        _("Maximum duration"): str(config.max_run_duration_seconds or "--"),
        _("Memory"): str(config.memory_bytes or "--"),
        _("Processes"): str(config.process_count or "--"),
        _("Processor time"): str(config.cpu_seconds or "--"),
        _("Size of a file it writes"): str(config.file_bytes or "--"),
        _("Priority"): str(config.priority),
        _("Not before"): str(config.not_before or "--"),
        _("Retries"): str(config.max_retries),
        _("Also try again if its worker is lost"): _("yes") if config.retries_lost_workers else _("no"),
    }


def _snapshot(request: SignedInRequest, source: Run, form: ResubmitForm) -> Snapshot | None:
    uploaded = submit_files.store(request, source.workspace, at=timezone.now())
    return uploaded or submit_files.kept(form.data.get("kept_upload", ""), source.workspace) or source.snapshot


def _config(
    form: ResubmitForm, before: ScriptRunConfig, snapshot: Snapshot | None, *, is_same_code: bool
) -> ScriptRunConfig:
    fields = form.cleaned_data
    paths = snapshots.paths(snapshot) if snapshot else set()
    command = tuple(fields.get("command") or ())
    requirements = before.requirements if fields["requirements"] == SAME else None
    if fields["requirements"] == "auto" and REQUIREMENTS in paths:
        requirements = REQUIREMENTS
    return ScriptRunConfig(
        script="" if command else fields["script"].strip() or submit_files.guessed_script(paths),
        command=command,
        requirements=requirements,
        interpreter_path=before.interpreter_path,
        # They tell where the code came from.
        properties=before.properties if is_same_code else {},
        params=fields["params"],
        **submit_page.config_of(fields),
    )


def _submit(
    request: SignedInRequest, source: Run, form: ResubmitForm, config: ScriptRunConfig, snapshot: Snapshot | None
) -> Run:
    at = timezone.now()
    experiment = experiments.get_or_create(
        workspace=source.workspace, name=form.cleaned_data["experiment"].strip(), by=request.user, at=at
    )
    return submission.submit_script(
        experiment=experiment,
        config=config,
        snapshot=snapshot,
        by=request.user,
        at=at,
        resubmitted_from=source,
        idempotency_key=form.cleaned_data["idempotency_key"],
        actor="web",
        git_patch=git_patches.of(source) if snapshot == source.snapshot else b"",
    )


def _page(
    request: SignedInRequest,
    source: Run,
    form: ResubmitForm,
    snapshot: Snapshot | None,
    differences: list[Difference],
    *,
    is_reviewed: bool = False,
    status: int = 200,
) -> HttpResponse:
    context = submit_page.context(request, source.workspace, form) | {
        "source": source,
        "kept_upload": submit_files.token_of(snapshot) if snapshot and snapshot != source.snapshot else "",
        "has_new_files": snapshot is not None and snapshot != source.snapshot,
        "differences": differences,
        "is_reviewed": is_reviewed,
    }
    return live.respond(request, "run/run_resubmit.html", context, fragment="resubmit-differences", status=status)
