"""What a step reads: which runs left its inputs, and where they go in its folder."""

from collections.abc import Iterator
from dataclasses import dataclass

from runs.models import Run, StepRun
from runs.pipelines import expansion
from runs.pipelines.nodes import variable


@dataclass(frozen=True)
class Source:
    """A folder of a run's outputs, `prefix`, that goes to `folder` of the step that reads it."""

    step: str
    run: Run
    prefix: str
    folder: str
    # Its result was that of a run that is deleted.
    is_gone: bool


def sources(step: StepRun) -> Iterator[Source]:
    """Return what `step` reads: of a step that is fanned out, the folder of each value."""
    for name, (before, output, is_fanned_out) in step.inputs.items():
        producers = StepRun.objects.filter(pipeline_run=step.pipeline_run_id, name=before)
        for each in producers.select_related("run", "reused_from").order_by("index"):
            below = [expansion.folder_of(each.index, each.item)] if is_fanned_out else []
            yield Source(
                step=before,
                run=each.reused_from or each.run,
                prefix=f"{expansion.OUTPUTS}/{output}/",
                folder="/".join([expansion.INPUTS, name, *below]),
                is_gone=each.reused_from is None and each.run.status == "Completed" and each.run.attempt_number == 0,
            )


def may_read(step: StepRun, *, run_pk: int, path: str) -> bool:
    """Return whether the file `path` of a run is part of what `step` reads."""
    return any(source.run.pk == run_pk and path.startswith(source.prefix) for source in sources(step))


def folders(step: StepRun) -> dict[str, str]:
    """Return the folders of a step's inputs and outputs in its working folder, by the variables that name them."""
    inputs = {variable("INPUT", name): f"{expansion.INPUTS}/{name}" for name in step.inputs}
    return inputs | {variable("OUTPUT", name): f"{expansion.OUTPUTS}/{name}" for name in step.outputs}
