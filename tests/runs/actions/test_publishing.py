"""Pipelines that are kept by name and version, and run by it."""

import pytest

from runs.actions import pipeline_drafts, pipeline_submission, publishing
from runs.errors import InvalidInput, NotFound
from runs.models import PipelineRun, PublishedPipeline
from runs.pipelines import definition as definitions
from runs.pipelines.definition import BadPipeline
from tests import factories
from tests.runs.pipelines.driving import step

DOCUMENT = {
    "name": "nightly",
    "parameters": {"seed": {"type": "integer", "default": 7}},
    "steps": {
        "zeta": {"command": ["echo", "${{ parameters.seed }}"]},
        "alpha": {"command": ["echo", "done"], "depends_on": ["zeta"]},
    },
}


@pytest.fixture
def definition():
    """Two steps, of which the names are not in the order of the alphabet."""
    return definitions.from_document(DOCUMENT)


@pytest.fixture
def publish(workspace, owner, noon, local, definition):
    return lambda **given: publishing.publish(
        **{"workspace": workspace, "definition": definition, "by": owner, "at": noon, **given}
    )


def test_the_same_name_again_is_the_next_version(publish):
    first, second, other = publish(), publish(label="1.1"), publish(name="weekly")

    assert [(each.name, each.version, each.label) for each in (first, second, other)] == [
        ("nightly", 1, ""),
        ("nightly", 2, "1.1"),
        ("weekly", 1, ""),
    ]


def test_the_definition_comes_back_as_it_was_in_its_own_order(publish, definition):
    stored = PublishedPipeline.objects.get(pk=publish().pk).definition

    assert definitions.from_document(stored) == definition
    assert list(stored["steps"]) == ["zeta", "alpha"]


def test_what_a_run_executed_is_published(publish, experiment, owner, noon, definition):
    run = pipeline_submission.submit(experiment=experiment, definition=definition, by=owner, at=noon)

    published = publishing.publish_run(run=run, by=owner, at=noon, name="as-it-ran")

    assert (published.name, published.published_from) == ("as-it-ran", run)
    assert definitions.from_document(published.definition) == definition


def test_a_run_of_a_script_is_not_published(experiment, owner, noon):
    with pytest.raises(NotFound, match="no pipeline run"):
        publishing.publish_run(run=factories.run(experiment, by=owner), by=owner, at=noon)


def test_what_could_never_run_is_refused_by_its_step(publish):
    steps = {
        "far": {"command": ["a"], "compute_target": "moon"},
        "lost": {"script": "b.py", "snapshot": "0" * 64},
        "home": {"script": "c.py", "source": "folder"},
    }

    with pytest.raises(BadPipeline) as refused:
        publish(definition=definitions.from_document({"name": "bad", "steps": steps}))

    assert [(each.step, each.field) for each in refused.value.problems] == [
        ("far", "compute_target"),
        ("lost", "snapshot"),
        ("home", "source"),
    ]


def test_the_newest_enabled_version_is_what_the_name_runs(publish, workspace):
    first, second = publish(), publish()
    publishing.set_enabled(pipeline=second, is_enabled=False)

    assert publishing.newest(workspace=workspace, name="nightly") == first

    publishing.set_enabled(pipeline=first, is_enabled=False)
    with pytest.raises(publishing.PipelineIsDisabled, match="All versions"):
        publishing.newest(workspace=workspace, name="nightly")
    with pytest.raises(NotFound):
        publishing.newest(workspace=workspace, name="daily")


def test_a_run_says_what_it_is_of_and_takes_parameters(publish, owner, noon):
    pipeline = publish()

    run = publishing.run(
        pipeline=pipeline, experiment_name="a-new-one", by=owner, at=noon, parameters={"seed": "11"}, tags={"a": "b"}
    )

    held = dict(run.properties.values_list("key", "value"))
    assert run.experiment.name == "a-new-one"
    assert PipelineRun.objects.get(run=run).parameters == {"seed": 11}
    assert held == {
        "azureml.pipelineid": pipeline.pipeline_id,
        "azureml.pipelinename": "nightly",
        "azureml.pipelineversion": "1",
    }


def test_a_disabled_version_is_not_run(publish, owner, noon):
    pipeline = publishing.set_enabled(pipeline=publish(), is_enabled=False)

    with pytest.raises(publishing.PipelineIsDisabled):
        publishing.run(pipeline=pipeline, experiment_name="x", by=owner, at=noon)


def test_a_parameter_that_is_not_there_is_refused_by_its_name(publish, owner, noon):
    with pytest.raises(InvalidInput) as refused:
        publishing.run(pipeline=publish(), experiment_name="x", by=owner, at=noon, parameters={"sead": 1})

    assert refused.value.field == "parameters.sead"


def test_the_compute_target_that_is_chosen_goes_before_the_definitions_and_is_published(publish, owner, noon):
    factories.compute_target("gpu")
    steps = {"free": {"command": ["true"]}, "bound": {"command": ["true"], "compute_target": "local"}}
    document = {"name": "p", "default_compute_target": "local", "steps": steps}
    published = publish(definition=definitions.from_document(document))

    run = publishing.run(
        pipeline=published, experiment_name="x", by=owner, at=noon, default_compute_target="gpu", actor="test"
    )
    again = publishing.publish_run(run=run, by=owner, at=noon, name="again")
    draft = pipeline_drafts.clone_run(run=run, by=owner, at=noon)

    assert {name: step(run, name).compute_target.name for name in steps} == {"free": "gpu", "bound": "local"}
    assert again.definition["default_compute_target"] == "gpu"
    assert draft.document["default_compute_target"] == "gpu"
