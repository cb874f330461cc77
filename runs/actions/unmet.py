"""What a submission asks for and no worker gives: conda packages and Docker. The client records it as properties."""

from collections.abc import Mapping

from runs.errors import InvalidInput
from runs.models import ComputeTarget, Property, Run
from runs.wording import Sentence, chain, say

# The property that says what was asked for, what it is, and what happens instead.
_WISHES = {
    "requested.conda_packages": (
        say("conda packages"),
        say("Conda packages are recorded only, and the interpreter stays as it is"),
    ),
    "requested.docker": (say("Docker"), say("Docker is recorded only, and the run goes on without it")),
}
_SHOWN = 500


def check(target: ComputeTarget, properties: Mapping[str, object]) -> None:
    """Raise InvalidInput if `target` refuses what these properties ask for."""
    asked = [
        say("{what} ({asked})", what=what, asked=str(properties[key])[:_SHOWN])
        for key, (what, _) in _WISHES.items()
        if key in properties
    ]
    if asked and target.refuses_conda_and_docker:
        raise InvalidInput(
            say(
                "The compute target {target!r} refuses runs that ask for {names}, which it cannot "
                "give. Leave that out, or choose another compute target.",
                target=target.name,
                names=chain(asked, between=" + "),
            ),
            field="compute_target",
        )


def warnings(run: Run) -> list[Sentence]:
    """Return what the run's submitter asked for and does not get, as sentences."""
    asked = Property.objects.filter(run=run, key__in=_WISHES).order_by("key").values_list("key", "value")
    return [say("{what} (asked for: {asked}).", what=_WISHES[key][1], asked=value[:_SHOWN]) for key, value in asked]
