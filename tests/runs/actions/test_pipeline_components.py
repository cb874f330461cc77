"""The palette: what may be taken from it, and what comes with a step."""

import pytest

from runs.actions import pipeline_components, pipeline_drafts
from runs.errors import NotFound
from runs.models import Snapshot
from tests import factories

WINE = "example-step:wine_pipeline"


@pytest.fixture(autouse=True)
def home(tmp_path, settings):
    settings.STUDIO_HOME = tmp_path


def test_a_step_of_an_example_brings_its_files_its_ports_and_the_parameters_that_it_reads(workspace, noon):
    taken = pipeline_components.take(workspace, f"{WINE}:train", at=noon)

    snapshot = Snapshot.objects.get()
    assert (taken.name, taken.step["script"], taken.step["snapshot"]) == ("train", "train.py", snapshot.digest)
    assert (taken.step["inputs"], taken.step["outputs"]) == ({"table": ""}, ["model"])
    assert taken.step["for_each"] == {"model": "${{ parameters.models }}"}
    assert sorted(taken.parameters) == ["models", "seed"]
    assert "source" not in taken.step


def test_a_step_of_a_published_pipeline_leaves_its_neighbors_behind(workspace, team_mate, noon):
    steps = {
        "first": {"command": ["true"], "outputs": ["table"]},
        "second": {
            "command": ["echo", "${{ parameters.seed }}"],
            "inputs": {"table": "${{ steps.first.outputs.table }}"},
            "depends_on": ["first"],
        },
    }
    parameters = {"seed": {"type": "integer", "default": 7}, "unused": {"type": "string"}}
    document = {"name": "nightly", "parameters": parameters, "steps": steps}
    published = factories.published_pipeline(workspace, by=team_mate, definition=document)

    taken = pipeline_components.take(workspace, f"published:{published.pipeline_id}:second", at=noon)

    assert taken.step == {"command": ["echo", "${{ parameters.seed }}"], "inputs": {"table": ""}}
    assert taken.parameters == {"seed": {"type": "integer", "default": 7}}


def test_what_is_declared_in_a_draft_already_stays_as_it_is(workspace, noon):
    document = {"parameters": {"seed": {"type": "integer", "default": 1}}, "steps": {"train": {"command": ["true"]}}}

    pipeline_components.put(document, pipeline_components.take(workspace, f"{WINE}:train", at=noon))

    assert list(document["steps"]) == ["train", "train_2"]
    assert document["parameters"]["seed"] == {"type": "integer", "default": 1}
    assert document["parameters"]["models"]["type"] == "list"


def test_the_example_as_a_draft_may_run_as_it_is(workspace, local, noon):
    document = pipeline_components.example_document(workspace, "wine_pipeline", at=noon)

    whole = {**document, "default_compute_target": "local"}
    assert pipeline_drafts.examine(whole, workspace=workspace) == ()


def test_all_that_is_listed_can_be_taken(workspace, team_mate, noon):
    factories.published_pipeline(workspace, by=team_mate)

    listed = pipeline_components.list_components(workspace)

    assert len(listed) > 8
    assert all(pipeline_components.take(workspace, each.key, at=noon).step for each in listed)


@pytest.mark.parametrize(
    "key", ["", "no", "example:no", "example-step:no:train", f"{WINE}:no", "script:abc:x.py", "published:1:x"]
)
def test_what_is_not_there_is_not_taken(workspace, noon, key):
    with pytest.raises(NotFound):
        pipeline_components.take(workspace, key, at=noon)
