"""Pipelines with real workers and real processes: folders between steps, retries, cancel, reuse."""

import time
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.db import transaction

from runs.actions import pipeline_submission, snapshots
from runs.execution import host
from runs.models import Run, RunEvent
from runs.pipelines import definition
from tests.runs.execution.conftest import QUICK, Site, keeps_within, marked
from tests.runs.pipelines.driving import statuses, step

pytestmark = [pytest.mark.process, pytest.mark.slow]

FILES = {
    "write.py": """
import os, pathlib, sys
folder = pathlib.Path(os.environ["STUDIO_OUTPUT_TABLE"])
assert folder == pathlib.Path(sys.argv[1]).resolve()
(folder / "a b").mkdir()
(folder / "a b" / "rows.csv").write_text("1,2\\n")
(folder / "empty").write_text("")
print("executed")
""",
    "train.py": """
import pathlib, sys
model, table, out = sys.argv[1:]
text = pathlib.Path(table, "a b", "rows.csv").read_text()
pathlib.Path(out, "score").write_text(model + ":" + text.strip())
""",
    "compare.py": """
import os, pathlib
folder = pathlib.Path(os.environ["STUDIO_INPUT_MODELS"])
for path in sorted(folder.rglob("score")):
    print(path.relative_to(folder), path.read_text())
""",
    "flaky.py": """
import pathlib, sys
mark = pathlib.Path(sys.argv[1])
if not mark.exists():
    mark.touch()
    sys.exit(3)
""",
    "stubborn.py": """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "time.sleep(600)", sys.argv[1]])
print("begun", flush=True)
time.sleep(600)
""",
}
PENGUINS = {
    "prepare": {"script": "write.py", "arguments": ["${{ outputs.table }}"], "outputs": ["table"]},
    "train": {
        "script": "train.py",
        "arguments": ["${{ item.m }}", "${{ inputs.table }}", "${{ outputs.model }}"],
        "inputs": {"table": "${{ steps.prepare.outputs.table }}"},
        "outputs": ["model"],
        "for_each": {"m": ["ridge", "svm/linear"]},
    },
    "compare": {"script": "compare.py", "inputs": {"models": "${{ steps.train.outputs.model }}"}},
}


def submit(site: Site, steps: dict[str, Any], **fields: Any) -> Run:
    snapshot = snapshots.store_files(
        workspace=site.experiment.workspace,
        files=[(name, BytesIO(text.encode())) for name, text in FILES.items()],
        at=host.now(),
    )
    document = {"name": "p", "steps": {name: {"snapshot": snapshot.digest, **each} for name, each in steps.items()}}
    return pipeline_submission.submit(
        experiment=site.experiment,
        definition=definition.from_document(document),
        by=site.owner,
        at=host.now(),
        **fields,
    )


def test_folders_pass_from_step_to_step_and_an_equal_run_is_reused(site: Site, worker) -> None:
    run = site.wait_until_ended(submit(site, PENGUINS), seconds=60)

    assert set(statuses(run).values()) == {"Completed"}, [each.error for each in Run.objects.filter(parent=run)]
    assert run.status == "Completed"
    assert site.log(step(run, "compare")).decode().splitlines() == [
        "0-ridge/score ridge:1,2",
        "1-svm-linear/score svm/linear:1,2",
    ]

    def submit_again():
        began = time.monotonic()
        again = submit(site, PENGUINS)
        assert again.status == "Completed"
        return timedelta(seconds=time.monotonic() - began)

    assert keeps_within(1.5, submit_again)

    changed = {**PENGUINS, "compare": {**PENGUINS["compare"], "params": {"new": 1}}}
    reader = site.wait_until_ended(submit(site, changed), seconds=60)
    assert step(reader, "train", 1).step.reused_from == step(run, "train", 1)
    assert site.log(step(reader, "compare")) == site.log(step(run, "compare"))


def test_a_failed_step_is_tried_again_before_anything_follows(site: Site, worker, tmp_path) -> None:
    flaky = {"script": "flaky.py", "arguments": [str(tmp_path / "mark")], "retries": 1}
    after = {"command": ["true"], "depends_on": ["flaky"]}

    run = site.wait_until_ended(submit(site, {"flaky": flaky, "after": after}), seconds=60)

    assert run.status == "Completed"
    assert step(run, "flaky").attempt_number == 2
    # By their events: a worker that goes on with pipelines has looked at its clock before it looks at the rows.
    ended = RunEvent.objects.get(run=step(run, "flaky"), to_status="Completed")
    assert RunEvent.objects.get(run=step(run, "after"), to_status="Queued").pk > ended.pk


def test_cancel_in_the_middle_kills_what_ignores_it_and_ends_in_time(site: Site, worker, tmp_path) -> None:
    def play():
        word = f"stubborn-{tmp_path.name}-{time.time_ns()}"
        run = submit(
            site,
            {
                "first": {"command": ["true"]},
                "stubborn": {"script": "stubborn.py", "arguments": [word], "depends_on": ["first"]},
                "after": {"command": ["true"], "depends_on": ["stubborn"]},
            },
        )
        site.wait_for_log(step(run, "stubborn"), b"begun")

        with transaction.atomic():  # nobody hears of it before it was looked at
            site.cancel(run)
            at_once = statuses(run), site.status(run)
        ended = site.wait_until_ended(run)

        assert at_once == (
            {"first": "Completed", "stubborn": "CancelRequested", "after": "Canceled"},
            "CancelRequested",
        )
        assert ended.status == "Canceled"
        assert statuses(run) == {"first": "Completed", "stubborn": "Canceled", "after": "Canceled"}
        assert marked(word) == []
        return ended.ended_at - ended.cancel_requested_at

    assert keeps_within(QUICK["STUDIO_GRACE_SECONDS"] + 2, play)
