"""Who may do what. `check_can_...` raises, `can_...` answers; views and the API ask, actions trust.

What a person may not even see does not exist: the fetching functions raise NotFound for it.
"""

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from runs.errors import NotFound, PermissionDenied
from runs.models import Membership, PipelineDraft, PublishedPipeline, Role, Run, Schedule, Workspace
from runs.prepared import Prepared
from runs.wording import say

User = AbstractBaseUser | AnonymousUser

# Asked by nearly every request.
_memberships = Prepared(lambda workspace, user: Membership.objects.filter(workspace=workspace, user=user))

_RANK = {Role.READER: 1, Role.CONTRIBUTOR: 2, Role.OWNER: 3}


def role_of(user: User, workspace: Workspace) -> Role | None:
    """Return the role of `user` in `workspace`, or None; a superuser owns every workspace."""
    if not user.is_active:
        return None
    if getattr(user, "is_superuser", False):
        return Role.OWNER
    membership = _memberships.first(workspace.pk, user.pk)
    return Role(membership.role) if membership else None


def can_contribute(user: User, workspace: Workspace) -> bool:
    """Return whether `user` may submit, change and cancel runs of `workspace`."""
    return _has(user, workspace, Role.CONTRIBUTOR)


def can_own(user: User, workspace: Workspace) -> bool:
    """Return whether `user` may administer `workspace`."""
    return _has(user, workspace, Role.OWNER)


def check_can_contribute(user: User, workspace: Workspace, *, role: str = "") -> None:
    """Raise PermissionDenied unless `user` may submit, change and cancel runs of `workspace`.

    `role` is what an active user has there, if it was read together with what they ask for.
    """
    if not (_RANK[Role(role)] >= _RANK[Role.CONTRIBUTOR] if role else can_contribute(user, workspace)):
        raise PermissionDenied(
            say("This needs the role contributor in the workspace {workspace}.", workspace=workspace.name)
        )


def get_workspace(user: User, name: str) -> Workspace:
    """Return the workspace `name` if `user` may see it, else raise NotFound."""
    workspace = Workspace.objects.visible_to(user).filter(name=name).first()
    if workspace is None:
        raise NotFound(say("There is no workspace {name!r}, or it is not yours to see.", name=name), field="workspace")
    return workspace


def default_workspace(user: User) -> Workspace:
    """Return the workspace to show where none is named: the first that `user` joined. Raises NotFound."""
    workspace = Workspace.objects.visible_to(user).order_by("id").first()
    if workspace is None:
        raise NotFound(say("You are not a member of any workspace yet: ask an owner to add you."), field="workspace")
    return workspace


def get_run(user: User, run_id: str) -> Run:
    """Return the run `run_id` with what its pages show, if `user` may see it, else raise NotFound."""
    run = (
        Run.objects.visible_to(user)
        .select_related("experiment", "workspace", "compute_target", "submitted_by", "parent", "root", "snapshot")
        .select_related("cancel_requested_by", "resubmitted_from")
        .filter(run_id=run_id)
        .first()
    )
    if run is None:
        raise NotFound(say("There is no run {run_id!r}, or it is not yours to see.", run_id=run_id), field="run_id")
    return run


def get_published_pipeline(user: User, pipeline_id: str) -> PublishedPipeline:
    """Return the published pipeline `pipeline_id` if `user` may see it, else raise NotFound."""
    found = (
        PublishedPipeline.objects.visible_to(user)
        .select_related("workspace", "published_by", "published_from")
        .filter(pipeline_id=pipeline_id)
        .first()
    )
    if found is None:
        raise NotFound(
            say("There is no published pipeline {pipeline_id!r}, or it is not yours to see.", pipeline_id=pipeline_id),
            field="pipeline",
        )
    return found


def get_pipeline_draft(user: User, workspace: Workspace, draft_id: str) -> PipelineDraft:
    """Return the draft `draft_id` of `workspace` if `user` may see it, else raise NotFound."""
    draft = (
        PipelineDraft.objects.visible_to(user)
        .select_related("workspace", "updated_by")
        .filter(workspace=workspace, draft_id=draft_id)
        .first()
    )
    if draft is None:
        raise NotFound(
            say("There is no draft {draft_id!r}, or it is not yours to see.", draft_id=draft_id), field="draft_id"
        )
    return draft


def get_schedule(user: User, schedule_id: str) -> Schedule:
    """Return the schedule `schedule_id` if `user` may see it, else raise NotFound."""
    found = (
        Schedule.objects.visible_to(user)
        .select_related("workspace", "pipeline", "created_by")
        .filter(schedule_id=schedule_id)
        .first()
    )
    if found is None:
        raise NotFound(
            say("There is no schedule {schedule_id!r}, or it is not yours to see.", schedule_id=schedule_id),
            field="schedule",
        )
    return found


def _has(user: User, workspace: Workspace, role: Role) -> bool:
    held = role_of(user, workspace)
    return held is not None and _RANK[held] >= _RANK[role]
