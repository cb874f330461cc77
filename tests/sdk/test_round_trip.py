"""A run that is made through one door is complete and equal through the others."""

import json
import shutil

import pytest
from django.test import Client as Browser
from studio_sdk.core import ScriptRunConfig

from tests.sdk.test_cli import SEED, start

pytestmark = [pytest.mark.process, pytest.mark.slow]


def _cli(*arguments: str) -> dict:
    process = start(list(arguments))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return json.loads(out)


def test_a_run_of_the_sdk_is_the_same_on_the_command_line_and_on_the_page(experiment, folder, worker, person):
    shutil.copy(SEED / "train.py", folder)
    run = experiment.submit(ScriptRunConfig(".", "train.py"), tags={"quality": "good"}, display_name="By the SDK")
    run.wait_for_completion()

    browser = Browser()
    browser.force_login(person)
    page = browser.get(f"/runs/{run.id}/raw/")

    assert _cli("run", "show", "-r", run.id) == run._fetch()
    assert page.status_code == 200
    assert "By the SDK" in page.content.decode()


def test_a_run_of_the_command_line_is_the_same_in_the_sdk(workspace, folder, worker):
    shutil.copy(SEED / "train.py", folder)

    document = _cli("run", "submit-script", "--async", "-e", "first", "train.py", "--n", "1")
    run = workspace.get_run(document["run_id"])
    run.wait_for_completion()

    assert run.get_details()["runDefinition"]["arguments"] == ["--n", "1"]
    assert _cli("run", "show", "-r", run.id) == run._fetch()
    assert _cli("run", "metrics", "-r", run.id) == run.get_metrics() == {"alpha": 0.5}
