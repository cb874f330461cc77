"""Resubmit, edited: filled from the run, honest about what differs, and a new run that knows where it came from."""

import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs import storage
from runs.actions import git_patches, snapshots, submission
from runs.actions.script_run_config import ScriptRunConfig
from runs.models import Param, Run, Tag
from runs.status import RunStatus
from tests import factories

POLL = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
def source(experiment, owner, local, noon):
    files = [("train.py", io.BytesIO(b"print(1)\n")), ("requirements.txt", io.BytesIO(b"numpy\n"))]
    return submission.submit_script(
        experiment=experiment,
        config=ScriptRunConfig(
            script="train.py",
            arguments=["--alpha", "0.5", "two words"],
            environment_variables={"API_KEY": "s3cr3t", "MODE": "fast"},
            tags={"quality": "good", "again": None},
            params={"alpha": "0.5"},
            properties={"git.commit": "abc"},
            display_name="first",
            max_run_duration_seconds=5400,
            memory_bytes=2**30,
        ),
        git_patch=b"+alpha = 0.5\n",
        snapshot=snapshots.store_files(workspace=experiment.workspace, files=files, at=noon),
        by=owner,
        at=noon,
    )


@pytest.fixture
def form_of(client_for, team_mate):
    """The values of the form that is filled from a run."""

    def read(run):
        form = client_for(team_mate).get(address(run)).context["form"]
        return {
            name: form[name].value() or "" for name in form.fields if name not in ("upload", "retries_lost_workers")
        } | {"from": run.run_id}

    return read


def address(run):
    return f"{reverse('run_submit', args=[run.workspace.name])}?from={run.run_id}"


def test_sent_as_it_is_nothing_differs(client_for, team_mate, source, form_of):
    response = client_for(team_mate).post(address(source), {**form_of(source), "review": "1"})

    assert response.status_code == 200
    assert response.context["differences"] == []
    assert Run.objects.count() == 1


def test_what_differs_is_said_before_it_is_submitted(client_for, team_mate, source, form_of):
    changed = form_of(source) | {"arguments": "--alpha 0.7", "tags": "quality=great", "params": "alpha=0.7"}
    changed["environment_variables"] = "API_KEY=other\nMODE=fast"

    response = client_for(team_mate).post(address(source), changed | {"review": "1"})
    fragment = client_for(team_mate).post(address(source), changed, headers=POLL)

    assert response.context["differences"] == [
        ("Arguments", "--alpha 0.5 'two words'", "--alpha 0.7"),
        ("Param alpha", "0.5", "0.7"),
        ("Tag again", "yes", "--"),
        ("Tag quality", "good", "great"),
        ("Variable API_KEY", "********", "another secret"),
    ]
    assert b"s3cr3t" not in response.content
    assert b"<ins>another secret</ins>" in fragment.content
    assert b"<html" not in fragment.content
    assert Run.objects.count() == 1


def test_the_new_run_has_the_changes_the_secrets_and_the_lineage(client_for, team_mate, source, form_of):
    client = client_for(team_mate)

    response = client.post(address(source), form_of(source) | {"arguments": "--alpha 0.7"})

    new = Run.objects.get(resubmitted_from=source)
    assert response.url == new.get_absolute_url()
    assert new.arguments == ["--alpha", "0.7"]
    assert new.environment_variables == {"API_KEY": "s3cr3t", "MODE": "fast"}
    assert (new.snapshot, new.requirements, new.submitted_by) == (source.snapshot, None, team_mate)
    assert dict(Tag.objects.filter(run=new).values_list("key", "value")) == {"quality": "good", "again": None}
    assert Param.objects.get(run=new).value == "0.5"
    assert new.properties.get().value == "abc"
    assert git_patches.of(new) == b"+alpha = 0.5\n"
    assert new.title in client.get(source.get_absolute_url()).content.decode()
    assert source.title in client.get(new.get_absolute_url()).content.decode()


def test_other_files_replace_the_code_and_are_kept_after_a_review(client_for, team_mate, source, form_of):
    client = client_for(team_mate)
    script = io.BytesIO(b"print(2)\n")
    script.name = "train.py"
    values = form_of(source)

    review = client.post(address(source), values | {"upload": script, "review": "1"})
    client.post(address(source), values | {"kept_upload": review.context["kept_upload"]})

    assert [name for name, _, _ in review.context["differences"]] == ["Files"]
    new = Run.objects.get(resubmitted_from=source)
    assert new.snapshot != source.snapshot
    assert not new.properties.exists()
    assert git_patches.of(new) == b""


def test_a_command_line_without_files_is_submitted_again(
    client_for, team_mate, experiment, owner, local, noon, form_of
):
    config = ScriptRunConfig(command=["echo", "two words"], requirements=["numpy==2.0"])
    source = submission.submit_script(experiment=experiment, config=config, snapshot=None, by=owner, at=noon)

    client_for(team_mate).post(address(source), form_of(source) | {"command": "echo 'three words'"})

    new = Run.objects.get(resubmitted_from=source)
    assert (new.command, new.requirements, new.snapshot) == (["echo", "three words"], ["numpy==2.0"], None)


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"arguments": "'open"}, "arguments"), ({"params": "alone"}, "params"), ({"script": "missing.py"}, "script")],
)
def test_mistakes_stay_beside_their_field(client_for, team_mate, source, form_of, changes, field):
    response = client_for(team_mate).post(address(source), form_of(source) | changes)

    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert Run.objects.count() == 1


def test_code_that_is_gone_is_said(client_for, team_mate, source, form_of, monkeypatch):
    values = form_of(source)
    monkeypatch.setattr(storage, "has_snapshot", lambda digest: False)

    response = client_for(team_mate).post(address(source), values)

    assert response.status_code == 422
    assert "submit them anew" in str(response.context["form"].errors["upload"])
    with pytest.raises(snapshots.SnapshotGone):
        submission.resubmit(run=source, by=team_mate, at=factories.NOON)


def test_who_may_not_submit_cannot(client_for, reader, stranger, source, experiment, owner):
    interactive = factories.run(experiment, by=owner, run_type="interactive", status=RunStatus.RUNNING)

    assert client_for(reader).get(address(source)).status_code == 200
    assert client_for(reader).post(address(source), {"from": source.run_id}).status_code == 403
    assert client_for(stranger).get(address(source)).status_code == 404
    assert client_for(owner).get(address(interactive)).status_code == 409


def test_the_form_takes_a_fixed_number_of_queries(client_for, team_mate, source):
    client = client_for(team_mate)
    client.get(address(source))
    counts = []
    for amount in (3, 30):
        Param.objects.bulk_create(Param(run=source, name=f"p{amount}-{n}", value="1") for n in range(amount))
        with CaptureQueriesContext(connection) as queries:
            client.get(address(source))
        counts.append(len(queries))

    assert counts[0] == counts[1]
