"""From Queued to the end: real workers, real supervisors, real scripts."""

import pytest

from runs.models import ComputeTarget

pytestmark = [pytest.mark.process, pytest.mark.slow]


def test_a_script_runs_and_its_output_is_kept(site, worker):
    run = site.submit("print('hello'); print('and bye')")

    ended = site.wait_until_ended(run)

    assert (ended.status, ended.exit_code, ended.error) == ("Completed", 0, "")
    assert site.log(run) == b"hello\nand bye\n"
    assert site.events(run)[1:] == ["Queued", "Preparing", "Starting", "Running", "Finalizing", "Completed"]
