"""What a step of a pipeline finds in its folder: its inputs, fetched from the store, and room for its outputs."""

from collections.abc import Callable
from pathlib import Path

from runs import storage
from runs.errors import RunsError
from runs.execution import host
from runs.models import Artifact, Attempt, Param, Run, RunType, StepRun
from runs.pipelines import data
from runs.pipelines.data import Source


class InputsMissing(RunsError):
    """An input of this step is not there any more."""

    code = "inputs_missing"


def prepare(*, run: Run, folder: Path, say: Callable[[str], None]) -> dict[str, str]:
    """Make the folders of a step's inputs and outputs, and fill the first; return the variables that name them.

    Among them are the step's params, under the names that scripts written for Azure ML read.
    For a run that is no step there is nothing to do. Doing it again begins anew. Raises
    InputsMissing, or storage.Unreachable while bytes are still on their way.
    """
    step = StepRun.objects.filter(run=run).first() if run.run_type == RunType.STEP else None
    if step is None:
        return {}
    variables = {name: str(folder / below) for name, below in data.folders(step).items()}
    for path in variables.values():
        Path(path).mkdir(parents=True, exist_ok=True, mode=0o700)
    for source in data.sources(step):
        count, size = _fetch(run, source, folder)
        say(f"Fetched {source.folder}: {count} files, {size:,} bytes, from {source.run.run_id}.")
    params = Param.objects.filter(run=run).values_list("name", "value")
    return {f"AML_PARAMETER_{name}": value for name, value in params if "=" not in name} | variables


def _fetch(run: Run, source: Source, folder: Path) -> tuple[int, int]:
    """Copy one folder; return how many files and bytes it has."""
    if source.is_gone:
        raise InputsMissing(f"The run from which {source.step} was reused is deleted: run {source.step} again.")
    late = Attempt.objects.filter(run=source.run, number=source.run.attempt_number, bytes_due_until__isnull=False)
    if (attempt := late.first()) and attempt.bytes_due_until:
        words = f"The last outputs of {source.run.run_id} have not arrived"
        if attempt.bytes_due_until > host.now():
            raise storage.Unreachable(f"{words} yet.")
        raise InputsMissing(f"{words}: run {source.step} again.")
    count = size = 0
    (folder / source.folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    artifacts = Artifact.objects.filter(run=source.run, path__startswith=source.prefix).order_by("path")
    for path, size_bytes in artifacts.values_list("path", "size_bytes"):
        storage.check_path(path)
        target = folder / source.folder / path.removeprefix(source.prefix)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with target.open("w+b") as handle:
            try:
                storage.read_input(run.pk, source.run.pk, path, into=handle)
            except FileNotFoundError as error:
                raise InputsMissing(f"{path} of {source.run.run_id} is deleted: run {source.step} again.") from error
        if target.stat().st_size != size_bytes:
            raise InputsMissing(f"{path} of {source.run.run_id} has not the {size_bytes:,} bytes it had.")
        count, size = count + 1, size + size_bytes
    return count, size
