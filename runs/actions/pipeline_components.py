"""The palette of the Designer: steps that are there to be put on a canvas, each by a key that finds it again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from runs.actions import examples, snapshots
from runs.errors import NotFound
from runs.models import PublishedPipeline, Run, Snapshot, Workspace
from runs.pipelines import drawing
from runs.wording import say

_RUNS_LOOKED_AT = 300
_SCRIPTS = 40
_PIPELINES = 20


@dataclass(frozen=True)
class Component:
    """A step to take: its key, the group it stands in, what it is called and what else tells it apart."""

    key: str
    group: str
    title: str
    hint: str


def list_components(workspace: Workspace) -> list[Component]:
    """Return what may be put on a canvas in `workspace`, group by group."""
    return [
        Component("empty", _("Basic"), _("Empty step"), _("A script or command of your own")),
        *_scripts(workspace),
        *(
            Component(f"example:{each.name}", _("Examples"), each.title, each.script)
            for each in examples.list_examples()
        ),
        *_published(workspace),
    ]


def get_step(workspace: Workspace, key: str, *, at: datetime) -> tuple[str, dict[str, Any]]:
    """Return a name and the document of the step that `key` means; an example's files become a snapshot.

    Raises NotFound.
    """
    kind, _colon, rest = key.partition(":")
    if kind == "empty":
        return "step", {"command": ["python", "-c", "print('Hello')"]}
    if kind == "example":
        example = examples.get_example(rest)
        snapshot = snapshots.store_files(workspace=workspace, files=examples.open_files(example), at=at)
        step: dict[str, Any] = {"script": example.script, "snapshot": snapshot.digest}
        if example.arguments:
            step["arguments"] = list(example.arguments)
        if example.requirements:
            step["requirements"] = example.requirements
        return example.name, step
    if kind == "script":
        digest, _colon, script = rest.partition(":")
        found = Snapshot.objects.filter(workspace=workspace, digest=digest).first()
        if found is not None and script:
            latest = Run.objects.filter(workspace=workspace, snapshot=found, script=script).order_by("-id").first()
            return _stem(script), {"script": script, "snapshot": digest} | (_as_before(latest) if latest else {})
    if kind == "published":
        pipeline_id, _colon, name = rest.partition(":")
        pipeline = PublishedPipeline.objects.filter(workspace=workspace, pipeline_id=pipeline_id).first()
        if pipeline is not None and name in drawing.steps_of(pipeline.definition):
            return name, _unwired(drawing.steps_of(pipeline.definition)[name])
    raise NotFound(say("There is no such step in the palette any more."), field="component")


def _scripts(workspace: Workspace) -> Iterator[Component]:
    """Yield the scripts of recent runs, each in its latest snapshot of each experiment."""
    recent = (
        Run.objects.filter(workspace=workspace, snapshot__isnull=False)
        .exclude(script="")
        .order_by("-id")
        .values_list("script", "snapshot__digest", "experiment__name")[:_RUNS_LOOKED_AT]
    )
    seen: set[tuple[str, str]] = set()
    for script, digest, experiment in recent:
        if (script, experiment) in seen or len(seen) == _SCRIPTS:
            continue
        seen.add((script, experiment))
        yield Component(f"script:{digest}:{script}", _("Scripts of this workspace"), script, experiment)


def _published(workspace: Workspace) -> Iterator[Component]:
    """Yield the steps of the latest version of each published pipeline."""
    seen: set[str] = set()
    for pipeline in PublishedPipeline.objects.filter(workspace=workspace).enabled().order_by("-id")[: 2 * _PIPELINES]:
        if pipeline.name in seen or len(seen) == _PIPELINES:
            continue
        seen.add(pipeline.name)
        for name, step in drawing.steps_of(pipeline.definition).items():
            what = step.get("script") or " ".join(step.get("command") or [])
            title = f"{pipeline.name} / {name}"
            yield Component(f"published:{pipeline.pipeline_id}:{name}", _("Published pipelines"), title, what)


def _as_before(run: Run) -> dict[str, Any]:
    """Return what else the latest run of a script was given."""
    given = {"arguments": run.arguments, "requirements": run.requirements, "interpreter_path": run.interpreter_path}
    return {name: value for name, value in given.items() if value}


def _unwired(step: Mapping[str, Any]) -> dict[str, Any]:
    """Return a step without its ties to steps that are not there; its inputs stay declared."""
    free = {name: value for name, value in step.items() if name not in ("depends_on", "for_each")}
    if step.get("inputs"):
        free["inputs"] = dict.fromkeys(step["inputs"], "")
    return free


def _stem(script: str) -> str:
    return script.rsplit("/", 1)[-1].removesuffix(".py") or "step"
