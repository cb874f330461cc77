"""What a step finds in its folder, without a worker."""

import pytest

from runs import storage
from runs.actions import recording
from runs.execution import inputs
from runs.models import Artifact, StepRun
from runs.pipelines import schedule
from tests.factories import NOON
from tests.runs.pipelines.driving import end, step, submit

STEPS = {"a": {"outputs": ["o"]}, "b": {"inputs": {"i": "${{ steps.a.outputs.o }}"}, "outputs": ["x"]}}


@pytest.fixture
def run(experiment, owner, local):
    """A pipeline run whose first step has left a file."""
    run = submit(experiment, owner, STEPS)
    first = step(run, "a")
    for path in ("outputs/o/deep/f.txt", "outputs/other.txt"):
        recording.save_artifact(run=first, path=path, chunks=[b"hello"], at=NOON)
    end(first)
    schedule.advance(run_pk=run.pk, at=NOON)
    return run


def test_an_input_is_the_folder_that_the_other_step_left(run, tmp_path):
    said = []

    variables = inputs.prepare(run=step(run, "b"), folder=tmp_path, say=said.append)

    assert (tmp_path / "inputs/i/deep/f.txt").read_text() == "hello"
    assert [path.name for path in (tmp_path / "inputs/i").rglob("*")] == ["deep", "f.txt"]
    assert variables == {
        "AML_PARAMETER_step": "b",
        "STUDIO_INPUT_I": str(tmp_path / "inputs/i"),
        "STUDIO_OUTPUT_X": str(tmp_path / "outputs/x"),
    }
    assert said == [f"Fetched inputs/i: 1 files, 5 bytes, from {step(run, 'a').run_id}."]


def test_params_are_there_under_the_names_of_azure_ml(experiment, owner, local, tmp_path):
    run = submit(experiment, owner, {"a": {"params": {"alpha": 0.5, "not=a name": 1}}})

    assert inputs.prepare(run=step(run, "a"), folder=tmp_path, say=print) == {"AML_PARAMETER_alpha": "0.5"}


def test_a_deleted_file_is_told(run, tmp_path):
    storage.delete_artifact(step(run, "a").pk, "outputs/o/deep/f.txt")

    with pytest.raises(inputs.InputsMissing, match=r"outputs/o/deep/f.txt of .* is deleted: run a again"):
        inputs.prepare(run=step(run, "b"), folder=tmp_path, say=print)


def test_a_file_that_has_changed_is_told(run, tmp_path):
    Artifact.objects.filter(path="outputs/o/deep/f.txt").update(size_bytes=4)

    with pytest.raises(inputs.InputsMissing, match="has not the 4 bytes it had"):
        inputs.prepare(run=step(run, "b"), folder=tmp_path, say=print)


def test_a_result_whose_run_is_deleted_is_told(run, experiment, owner, tmp_path):
    again = submit(experiment, owner, STEPS)
    StepRun.objects.filter(pipeline_run_id=again.pk, name="a").update(reused_from=None)

    with pytest.raises(inputs.InputsMissing, match="The run from which a was reused is deleted"):
        inputs.prepare(run=step(again, "b"), folder=tmp_path, say=print)


def test_a_run_that_is_no_step_has_nothing_to_prepare(run, tmp_path):
    assert inputs.prepare(run=run, folder=tmp_path, say=print) == {}
