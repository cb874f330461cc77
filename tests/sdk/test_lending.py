"""Parents that hold every slot do not starve the children they wait for."""

import textwrap

import pytest

from runs.models import Attempt, ComputeTarget, Run
from studio_sdk.core import ScriptRunConfig

PARENT = """
    import sys, time
    from studio_sdk.core import Run, ScriptRunConfig

    depth = int(sys.argv[1])
    if depth:
        run = Run.get_context()
        while run.get_status() != "Running":  # which is said a moment later, and is when it started
            time.sleep(0.02)
        child = run.submit_child(ScriptRunConfig(source_directory=".", script="train.py", arguments=[depth - 1]))
        print(child.wait_for_completion(show_output=depth == 1)["status"])
        run.log("waited", depth)
"""
# Has children once as many of its kind run as there are slots.
ONE_OF_MANY = """
    import pathlib, sys, time
    from studio_sdk.core import Run, ScriptRunConfig

    run, room = Run.get_context(), pathlib.Path(sys.argv[1])
    while run.get_status() != "Running":
        time.sleep(0.02)
    (room / run.id).touch()
    while len(list(room.iterdir())) < int(sys.argv[2]):
        time.sleep(0.02)
    children = [run.submit_child(ScriptRunConfig(source_directory=".", script="child.py")) for _ in range(2)]
    print(*[child.wait_for_completion()["status"] for child in children])
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


@pytest.mark.process
@pytest.mark.slow
def test_parents_that_hold_every_slot_at_once_and_their_children_all_complete(
    experiment, worker, folder, row, tmp_path_factory
):
    ComputeTarget.objects.update(slots=3)
    room = tmp_path_factory.mktemp("room")
    (folder / "train.py").write_text(textwrap.dedent(ONE_OF_MANY))
    (folder / "child.py").write_text("")

    config = ScriptRunConfig(source_directory=str(folder), script="train.py", arguments=[str(room), 3])
    parents = [experiment.submit(config) for _ in range(3)]
    for parent in parents:
        parent.wait_for_completion()

    assert set(Run.objects.values_list("status", flat=True)) == {"Completed"}
    assert [Run.objects.filter(parent=row(parent)).count() for parent in parents] == [2, 2, 2]
    # Nobody's child could start before a parent lent its slot, for all three were held.
    assert min(Run.objects.filter(parent__isnull=False).values_list("started_at", flat=True)) > max(
        Run.objects.filter(parent__isnull=True).values_list("started_at", flat=True)
    )
    assert not Attempt.objects.filter(lent_until__isnull=False).exists()


def test_nothing_is_lent_by_who_is_no_submitted_script(experiment, folder):
    run = experiment.start_logging(snapshot_directory=None)
    run.complete()

    assert run.wait_for_completion()["status"] == "Completed"
