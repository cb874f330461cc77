"""The Graph tab of a pipeline run."""

import time
from datetime import timedelta

import pytest
from django.urls import reverse

from runs import storage
from runs.actions import recording
from runs.models import PipelineRun, Run, RunType, StepRun
from runs.status import RunStatus
from tests import factories

POLL = {"HX-Request": "true", "HX-Request-Type": "partial"}
DEFINITION = {
    "name": "penguins",
    "steps": {
        "prepare": {"command": ["true"], "outputs": ["table"]},
        "train": {
            "command": ["true"],
            "inputs": {"table": "${{ steps.prepare.outputs.table }}"},
            "outputs": ["model"],
            "for_each": {"model": ["ridge", "forest"]},
        },
        "report": {"command": ["true"], "depends_on": ["train"]},
    },
}


@pytest.fixture(autouse=True)
def home(tmp_path, settings):
    settings.STUDIO_HOME = tmp_path


@pytest.fixture
def run(experiment, team_mate, noon):
    """A pipeline run of which one step completed, one runs for two values, and one waits."""
    run = pipeline_run(experiment, team_mate, DEFINITION)
    minute = timedelta(minutes=1)
    step(run, "prepare", RunStatus.COMPLETED, started_at=noon, ended_at=noon + minute, duration_seconds=60)
    step(run, "train", RunStatus.RUNNING, item={"model": "ridge"}, started_at=noon + minute)
    step(run, "train", RunStatus.QUEUED, index=1, item={"model": "forest"})
    step(run, "report", RunStatus.NOT_STARTED)
    return run


def pipeline_run(experiment, by, definition, **fields):
    values = {"status": RunStatus.RUNNING, "run_type": RunType.PIPELINE, "started_at": factories.NOON} | fields
    run = factories.run(experiment, by=by, **values)
    PipelineRun.objects.create(run=run, definition=definition, parameters={})
    return run


def step(parent, name, status, *, index=0, item=None, reused_from=None, **fields):
    run = factories.run(
        parent.experiment, by=parent.submitted_by, parent=parent, status=status, run_type=RunType.STEP, **fields
    )
    StepRun.objects.create(
        run=run, pipeline_run=parent.pipeline, name=name, index=index, item=item, reused_from=reused_from
    )
    return run


def address(run):
    return reverse("run_graph", args=[run.run_id])


def test_the_drawing_shows_each_step_once_with_its_state(client_for, team_mate, run):
    page = client_for(team_mate).get(address(run)).content.decode()

    assert page.count('class="graph-box"') == 3
    assert 'aria-label="prepare: Completed · 1m 0s"' in page
    assert "train: Running · 0 of 2" in page


def test_a_click_on_a_step_opens_its_details_log_and_outputs(client_for, team_mate, run, noon):
    prepare = StepRun.objects.get(name="prepare").run
    storage.append_log(prepare.pk, "user_logs/std_log.txt", b"344 rows\n<b>\n", offset=0)
    recording.save_artifact(run=prepare, path="outputs/table/rows.csv", chunks=[b"a\n"], at=noon)

    page = client_for(team_mate).get(address(run), {"step": "prepare"})

    text = page.content.decode()
    assert page.context["panel"].run == prepare
    assert "344 rows" in text
    assert "&lt;b&gt;" in text
    assert "outputs/table/rows.csv" in text
    assert prepare.get_absolute_url() in text


def test_of_many_values_the_one_at_work_is_opened_and_another_by_its_index(client_for, team_mate, run):
    client = client_for(team_mate)

    first = client.get(address(run), {"step": "train"}).context["panel"].row
    second = client.get(address(run), {"step": "train", "index": "1"}).context["panel"].row

    assert (first.label, second.label) == ("train [ridge]", "train [forest]")


def test_a_reused_step_shows_the_files_of_the_run_that_made_them(client_for, team_mate, experiment, run, noon):
    earlier = factories.run(experiment, by=team_mate, status=RunStatus.COMPLETED)
    recording.save_artifact(run=earlier, path="outputs/table/rows.csv", chunks=[b"a\n"], at=noon)
    again = pipeline_run(experiment, team_mate, DEFINITION)
    step(again, "prepare", RunStatus.COMPLETED, reused_from=earlier)

    page = client_for(team_mate).get(address(again), {"step": "prepare"}).content.decode()

    assert "Reused" in page
    assert f"{reverse('run_outputs', args=[earlier.run_id])}?path=outputs%2Ftable%2Frows.csv" in page


def test_the_gantt_chart_marks_the_critical_path(client_for, team_mate, run):
    page = client_for(team_mate).get(address(run), {"view": "gantt"}).content.decode()

    assert page.count('class="gantt-row') == 4
    assert "prepare: Completed, 1m 0s, on the critical path" in page


def test_a_poll_gets_nothing_while_nothing_changed_and_the_end_has_no_trigger(client_for, team_mate, run):
    client = client_for(team_mate)
    version = client.get(address(run)).context["version"]

    unchanged = client.get(address(run), {"v": version}, headers=POLL)
    Run.objects.filter(step__name="report").update(status=RunStatus.QUEUED)
    changed = client.get(address(run), {"v": version}, headers=POLL)

    assert unchanged.status_code == 204
    assert b"hx-trigger" in changed.content
    assert b"<html" not in changed.content


def test_the_tab_is_for_pipeline_runs_only(client_for, team_mate, experiment, run):
    other = factories.run(experiment, by=team_mate)
    client = client_for(team_mate)

    assert client.get(address(other)).status_code == 404
    assert address(other) not in client.get(other.get_absolute_url()).content.decode()
    assert address(run) in client.get(run.get_absolute_url()).content.decode()


def test_a_stranger_finds_no_such_run(client_for, stranger, run):
    assert client_for(stranger).get(address(run)).status_code == 404


@pytest.mark.slow
def test_a_thousand_steps_fifty_wide_take_under_half_a_second(client_for, team_mate, experiment, noon):
    many = {
        f"s{layer}_{place}": {"outputs": ["o"]}
        | ({"inputs": {"a": f"${{{{ steps.s{layer - 1}_{(place * 7 + layer) % 50}.outputs.o }}}}"}} if layer else {})
        for layer in range(20)
        for place in range(50)
    }
    run = pipeline_run(experiment, team_mate, {"name": "many", "steps": many})
    step(run, "s0_0", RunStatus.COMPLETED)
    model, rows = type(run), []
    for number, _name in enumerate(many):
        values = {f.attname: getattr(run, f.attname) for f in model._meta.concrete_fields if f.attname != "id"}
        rows.append(model(**values | {"run_id": f"r{number}", "number": 100 + number, "parent_id": run.pk}))
    made = model.objects.bulk_create(rows[1:])
    StepRun.objects.bulk_create(
        StepRun(run=row, pipeline_run_id=run.pk, name=name) for row, name in zip(made, list(many)[1:], strict=True)
    )
    client = client_for(team_mate)
    client.get(address(run))

    begin = time.process_time()
    page = client.get(address(run))
    seconds = time.process_time() - begin

    assert page.content.count(b'class="graph-box"') == 1000
    assert seconds < 0.5
