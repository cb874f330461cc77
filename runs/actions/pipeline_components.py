"""The palette of the Designer: steps that are there to be put on a canvas, each by a key that finds it again."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from runs import limits
from runs.actions import examples, script_run_config, snapshots
from runs.actions.script_run_config import ScriptRunConfig
from runs.errors import NotFound
from runs.models import PublishedPipeline, Run, Snapshot, Workspace
from runs.pipelines import drawing, editing, references
from runs.wording import say

_RUNS_LOOKED_AT = 300
_SCRIPTS = 40
_PIPELINES = 20
_REQUIREMENTS = "requirements.txt"
# Some characters are left for the number that makes it a new name.
_STEM_LENGTH = limits.STEP_NAME_LENGTH - 10


@dataclass(frozen=True)
class Component:
    """A step to take: its key, the group it stands in, what it is called and what else tells it apart."""

    key: str
    group: str
    title: str
    hint: str


@dataclass(frozen=True)
class Taken:
    """A step that was taken from the palette: its name, its document, and the parameters that it reads."""

    name: str
    step: dict[str, Any]
    parameters: dict[str, Any] = field(default_factory=dict)


def list_components(workspace: Workspace) -> list[Component]:
    """Return what may be put on a canvas in `workspace`, group by group."""
    return [
        Component("empty", _("Basic"), _("Empty step"), _("A script or command of your own")),
        *_scripts(workspace),
        *(
            Component(f"example:{each.name}", _("Examples"), each.title, each.script)
            for each in examples.list_examples()
        ),
        *_example_steps(),
        *_published(workspace),
    ]


def list_own(workspace: Workspace, document: Mapping[str, Any]) -> list[Component]:
    """Return the scripts that a draft's steps run, which may be put on its canvas once more."""
    named = {
        (step["snapshot"], step["script"]): name
        for name, step in drawing.steps_of(document).items()
        if isinstance(step.get("snapshot"), str) and isinstance(step.get("script"), str)
    }
    wanted = {digest for digest, _script in named}
    held = set(Snapshot.objects.filter(workspace=workspace, digest__in=wanted).values_list("digest", flat=True))
    return [of_script(digest, script, name) for (digest, script), name in named.items() if digest in held]


def of_script(digest: str, script: str, hint: str) -> Component:
    """Return what offers a script of a draft in its palette."""
    return Component(f"script:{digest}:{script}", _("This draft"), script, hint)


def of_snapshot(snapshot: Snapshot, script: str) -> Taken:
    """Return a step that runs `script` of a snapshot, with the packages that it names. Raises InvalidInput."""
    paths = snapshots.paths(snapshot)
    requirements = _REQUIREMENTS if _REQUIREMENTS in paths else None
    script_run_config.check(ScriptRunConfig(script=script, requirements=requirements), members=paths)
    step = {"script": script, "snapshot": snapshot.digest}
    return Taken(_stem(script), step | ({"requirements": requirements} if requirements else {}))


def take(workspace: Workspace, key: str, *, at: datetime) -> Taken:
    """Return the step that `key` means; an example's files become a snapshot. Raises NotFound or InvalidInput."""
    kind, _colon, rest = key.partition(":")
    if kind == "empty":
        return Taken("step", {"command": ["python", "-c", "print('Hello')"]})
    if kind == "example":
        example = examples.get_example(rest)
        snapshot = snapshots.store_files(workspace=workspace, files=examples.open_files(example), at=at)
        step: dict[str, Any] = {"script": example.script, "snapshot": snapshot.digest}
        if example.arguments:
            step["arguments"] = list(example.arguments)
        if example.requirements:
            step["requirements"] = example.requirements
        return Taken(example.name, step)
    if kind == "example-step":
        folder, _colon, name = rest.partition(":")
        pipeline_example = examples.get_pipeline(folder)
        if name in drawing.steps_of(pipeline_example.document):
            return _of_pipeline(example_document(workspace, folder, at=at, only=name), name)
    if kind == "script":
        digest, _colon, script = rest.partition(":")
        found = Snapshot.objects.filter(workspace=workspace, digest=digest).first()
        if found is not None and script:
            latest = Run.objects.filter(workspace=workspace, snapshot=found, script=script).order_by("-id").first()
            if latest is None:
                return of_snapshot(found, script)
            return Taken(_stem(script), {"script": script, "snapshot": digest} | _as_before(latest))
    if kind == "published":
        pipeline_id, _colon, name = rest.partition(":")
        pipeline = PublishedPipeline.objects.filter(workspace=workspace, pipeline_id=pipeline_id).first()
        if pipeline is not None and name in drawing.steps_of(pipeline.definition):
            return _of_pipeline(pipeline.definition, name)
    raise NotFound(say("There is no such step in the palette any more."), field="component")


def put(document: dict[str, Any], taken: Taken) -> None:
    """Add a step to a draft's document, with the parameters that are not declared there yet."""
    document["steps"][editing.free_name(taken.name, document["steps"])] = taken.step
    declared = document.get("parameters")
    if taken.parameters and (declared is None or isinstance(declared, Mapping)):
        document["parameters"] = {**taken.parameters, **(declared or {})}


def example_document(workspace: Workspace, name: str, *, at: datetime, only: str = "") -> dict[str, Any]:
    """Return an example pipeline, its folders stored as snapshots; of `only` one step if that is named.

    Raises NotFound.
    """
    example = examples.get_pipeline(name)
    steps = {}
    for step_name, step in example.document["steps"].items():
        if only in ("", step_name):
            files = examples.open_files(example, step["source"])
            snapshot = snapshots.store_files(workspace=workspace, files=files, at=at)
            kept = {field: value for field, value in step.items() if field != "source"}
            steps[step_name] = {"snapshot": snapshot.digest, **kept}
    return {**example.document, "steps": steps}


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


def _example_steps() -> Iterator[Component]:
    for pipeline in examples.list_pipelines():
        for name, step in pipeline.document["steps"].items():
            title = f"{pipeline.document['name']} / {name}"
            yield Component(f"example-step:{pipeline.name}:{name}", _("Examples"), title, step["script"])


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


def _of_pipeline(document: Mapping[str, Any], name: str) -> Taken:
    """Return a step without its ties to steps that are not there; its inputs stay declared."""
    step = {key: value for key, value in drawing.steps_of(document)[name].items() if key != "depends_on"}
    if step.get("inputs"):
        step["inputs"] = dict.fromkeys(step["inputs"], "")
    read = {each.name for each in references.find(json.dumps(step)) if each.room == "parameters"}
    declared = document.get("parameters") or {}
    return Taken(name, step, {key: value for key, value in declared.items() if key in read})


def _stem(script: str) -> str:
    """Return a name for a step that runs `script`, of the characters that such a name may have."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", script.rsplit("/", 1)[-1].removesuffix(".py"))
    return name.lstrip("_.-")[:_STEM_LENGTH] or "step"
