"""What no worker gives is a warning, or a refusal where the compute target is set to refuse."""

import pytest

from runs.actions import submission, unmet
from runs.errors import InvalidInput
from runs.models import Run
from tests import factories

ASKED = {"requested.docker": "enabled", "requested.conda_packages": "python=3.6.2, pandas", "author": "olivia"}


def submit(experiment, owner, noon, target, properties):
    config = submission.ScriptRunConfig(command=("true",), compute_target=target.name, properties=properties)
    return submission.submit_script(experiment=experiment, config=config, snapshot=None, by=owner, at=noon)


def test_a_target_as_it_is_made_takes_the_run_and_warns(experiment, owner, local, noon):
    run = submit(experiment, owner, noon, local, ASKED)

    assert unmet.warnings(run) == [
        "Conda packages are recorded only, and the interpreter stays as it is (asked for: python=3.6.2, pandas).",
        "Docker is recorded only, and the run goes on without it (asked for: enabled).",
    ]


def test_a_run_that_asks_for_nothing_is_not_warned(experiment, owner, local, noon):
    assert unmet.warnings(submit(experiment, owner, noon, local, {"author": "olivia"})) == []


@pytest.mark.parametrize("key", ["requested.docker", "requested.conda_packages"])
def test_a_strict_target_refuses_with_a_sentence(experiment, owner, noon, key):
    strict = factories.compute_target("strict", refuses_conda_and_docker=True)

    with pytest.raises(InvalidInput, match=r"'strict' refuses runs that ask for .*Leave that out") as refused:
        submit(experiment, owner, noon, strict, {key: ASKED[key]})

    assert (refused.value.field, Run.objects.count()) == ("compute_target", 0)
    assert ASKED[key] in refused.value.message


def test_a_strict_target_takes_what_asks_for_neither(experiment, owner, noon):
    strict = factories.compute_target("strict", refuses_conda_and_docker=True)

    assert submit(experiment, owner, noon, strict, {"author": "olivia"}).status == "Queued"
