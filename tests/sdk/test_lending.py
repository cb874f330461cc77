"""Parents that hold every slot do not starve the children they wait for."""

import textwrap

import pytest

from runs.models import Attempt, ComputeTarget, Run
from studio_sdk.core import ScriptRunConfig

PARENT = """
    import sys
    from studio_sdk.core import Run, ScriptRunConfig

    depth = int(sys.argv[1])
    if depth:
        run = Run.get_context()
        child = run.submit_child(ScriptRunConfig(source_directory=".", script="train.py", arguments=[depth - 1]))
        print(child.wait_for_completion(show_output=depth == 1)["status"])
        run.log("waited", depth)
"""


@pytest.mark.process
@pytest.mark.slow
def test_parents_and_children_of_two_levels_all_complete_on_one_slot(experiment, worker, folder, row):
    ComputeTarget.objects.update(slots=1)
    (folder / "train.py").write_text(textwrap.dedent(PARENT))

    runs = [
        experiment.submit(ScriptRunConfig(source_directory=str(folder), script="train.py", arguments=[2]))
        for _ in range(2)
    ]
    for run in runs:
        run.wait_for_completion()

    assert set(Run.objects.values_list("status", flat=True)) == {"Completed"}
    assert Run.objects.count() == 6
    assert not Attempt.objects.filter(lent_until__isnull=False).exists()
    # What was begun was finished first: the second parent waited for the first one's children.
    first = Run.objects.below(row(runs[0]), itself=True)
    assert max(first.values_list("started_at", flat=True)) < row(runs[1]).started_at


def test_nothing_is_lent_by_who_is_no_submitted_script(experiment, folder):
    run = experiment.start_logging(snapshot_directory=None)
    run.complete()

    assert run.wait_for_completion()["status"] == "Completed"
