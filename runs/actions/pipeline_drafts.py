"""Drafts of pipelines: made, saved without losing anybody's work, examined, run. A draft may be wrong until it runs."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from runs import limits
from runs.actions import pipeline_submission, publishing, snapshots
from runs.errors import Conflict, InvalidInput
from runs.models import (
    ComputeTarget,
    DraftRun,
    Experiment,
    PipelineDraft,
    PipelineRun,
    Run,
    Snapshot,
    Workspace,
)
from runs.pipelines import definition as definitions
from runs.pipelines import drawing, values, yaml_text
from runs.pipelines.definition import BadPipeline, Definition, Problem
from runs.wording import say

Document = dict[str, Any]


class DraftChanged(Conflict):
    """Somebody saved this draft in the meantime, perhaps you in another tab: load it again to see what is there."""

    code = "draft_changed"


def create(
    *,
    workspace: Workspace,
    by: User,
    at: datetime,
    document: Mapping[str, Any] | None = None,
    positions: Mapping[str, Any] | None = None,
) -> PipelineDraft:
    """Make a draft, empty or of a document. Raises InvalidInput if the document has not even the form of one."""
    checked = _checked(document or {"name": "New pipeline", "steps": {}})
    return PipelineDraft.objects.create(
        workspace=workspace,
        created_at=at,
        created_by=by,
        updated_at=at,
        updated_by=by,
        document=checked,
        positions=_kept(positions or {}, checked),
        **_told(checked),
    )


def clone_run(*, run: Run, by: User, at: datetime) -> PipelineDraft:
    """Make a draft of what a pipeline run executed, its steps where they stood."""
    held = PipelineRun.objects.get(run=run)
    drawn = DraftRun.objects.filter(run=run).first()
    return create(
        workspace=run.workspace,
        by=by,
        at=at,
        document=publishing.document_of(held),
        positions=drawn.positions if drawn else {},
    )


def save(
    *,
    draft: PipelineDraft,
    revision: int,
    document: Mapping[str, Any],
    positions: Mapping[str, Any],
    by: User,
    at: datetime,
) -> PipelineDraft:
    """Keep what a page that knows `revision` made of the draft. Raises DraftChanged if there is a later one."""
    checked = _checked(document)
    changes: dict[str, Any] = {
        "document": checked,
        "positions": _kept(positions, checked),
        "updated_at": at,
        "updated_by": by,
        **_told(checked),
    }
    won = PipelineDraft.objects.filter(pk=draft.pk, revision=revision).update(revision=F("revision") + 1, **changes)
    if not won:
        raise DraftChanged
    for name, value in (changes | {"revision": revision + 1}).items():
        setattr(draft, name, value)
    return draft


def delete(*, draft: PipelineDraft) -> None:
    """Delete the draft. The runs that were started from it stay."""
    draft.delete()


def run(
    *,
    draft: PipelineDraft,
    experiment: Experiment,
    by: User,
    at: datetime,
    idempotency_key: str = "",
    **options: Any,
) -> Run:
    """Submit the draft as it stands; `options` are those of pipeline_submission. Raises BadPipeline."""
    definition = definitions.from_document(draft.document)
    with transaction.atomic():
        submitted = pipeline_submission.submit(
            experiment=experiment,
            definition=definition,
            by=by,
            at=at,
            idempotency_key=idempotency_key,
            actor="web",
            **options,
        )
        DraftRun.objects.get_or_create(run=submitted, defaults={"draft": draft, "positions": draft.positions})
    return submitted


def examine(document: Mapping[str, Any], *, workspace: Workspace) -> tuple[Problem, ...]:
    """Return all that keeps the document from being run in `workspace`."""
    return _problems(lambda: definitions.from_document(document), workspace)


def examine_yaml(text: str, *, workspace: Workspace) -> tuple[Problem, ...]:
    """Return the same of a YAML text, with lines where they are known."""
    return _problems(lambda: definitions.from_yaml(text), workspace)


def from_yaml(text: str) -> Document:
    """Return the document that a YAML text holds, right or wrong. Raises BadPipeline if it is no YAML at all."""
    document, _lines = yaml_text.read(text)
    return _checked(document)


def to_yaml(document: Mapping[str, Any]) -> str:
    """Return the document as YAML."""
    return yaml_text.write(document)


def _problems(read: Callable[[], Definition], workspace: Workspace) -> tuple[Problem, ...]:
    try:
        definition = read()
    except BadPipeline as bad:
        return bad.problems
    return tuple(_missing(definition, workspace))


def _missing(definition: Definition, workspace: Workspace) -> Iterator[Problem]:
    """Yield what is named in the definition and not there: compute targets, snapshots, scripts in them."""
    targets = set(ComputeTarget.objects.enabled().values_list("name", flat=True))
    wanted = {step.snapshot for step in definition.steps if step.snapshot}
    held = {row.digest: row for row in Snapshot.objects.filter(workspace=workspace, digest__in=wanted)}
    members: dict[str, set[str]] = {}
    if definition.default_compute_target and definition.default_compute_target not in targets:
        message = say("There is no enabled compute target {name!r}.", name=definition.default_compute_target)
        yield Problem("", None, "default_compute_target", message)
    for step in definition.steps:
        if step.compute_target and step.compute_target not in targets:
            message = say("There is no enabled compute target {name!r}.", name=step.compute_target)
            yield Problem(step.name, None, "compute_target", message)
        if step.source:
            yield Problem(step.name, None, "source", say("The folder {source!r} was not uploaded.", source=step.source))
        if step.snapshot and step.snapshot not in held:
            yield Problem(
                step.name,
                None,
                "snapshot",
                say("There is no snapshot {snapshot!r} in this workspace.", snapshot=step.snapshot),
            )
        elif step.snapshot and step.script:
            if step.snapshot not in members:
                members[step.snapshot] = snapshots.paths(held[step.snapshot])
            if step.script not in members[step.snapshot]:
                yield Problem(
                    step.name, None, "script", say("The snapshot has no file {script!r}.", script=step.script)
                )


def _checked(document: Any) -> Document:
    """Return the document if a canvas can show it: a mapping, its steps a mapping of mappings."""
    if not isinstance(document, Mapping):
        raise InvalidInput(say("Expected a mapping with `name` and `steps`."), field="document")
    steps = document.get("steps") or {}
    if not isinstance(steps, Mapping) or not all(
        isinstance(step, Mapping) and values.is_text(name) for name, step in steps.items()
    ):
        raise InvalidInput(say("Expected `steps` to be a mapping of names to steps."), field="steps")
    if len(steps) > limits.PIPELINE_STEPS:
        raise InvalidInput(say("At most {most:,} steps are allowed.", most=limits.PIPELINE_STEPS), field="steps")
    text = json.dumps(document)
    if len(text) > limits.PIPELINE_LENGTH:
        raise InvalidInput(say("It is longer than {most:,} characters.", most=limits.PIPELINE_LENGTH), field="document")
    if "\\u0000" in text:
        raise InvalidInput(say("A text holds a NUL, which no database keeps."), field="document")
    return {**document, "steps": {name: dict(step) for name, step in steps.items()}}


def _told(document: Mapping[str, Any]) -> dict[str, str]:
    """Return name and description as columns."""
    name, description = document.get("name"), document.get("description")
    return {
        "name": name[: limits.PIPELINE_NAME_LENGTH] if values.is_text(name) and isinstance(name, str) else "",
        "description": description if values.is_text(description) and isinstance(description, str) else "",
    }


def _kept(positions: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, list[float]]:
    if not isinstance(positions, Mapping):
        raise InvalidInput(say("Expected a mapping of steps to [x, y]."), field="positions")
    return {name: list(each) for name, each in drawing.kept(positions).items() if name in document["steps"]}
