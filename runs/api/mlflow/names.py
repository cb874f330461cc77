"""Names for runs that their clients did not name."""

import secrets

_FIRST = """
    amber bold brave breezy bright calm clever coral cosmic crisp curious dapper eager fancy gentle golden happy
    honest jolly keen kind lively lucky mellow merry mighty nimble noble patient polite proud quick quiet rapid rosy
    silent sincere smooth spry steady sunny swift tidy upbeat vivid warm wise witty
"""
_SECOND = """
    badger bear beaver bison cat cod cow crane crow deer dog dove eagle elk falcon finch fox gnat goose gull hare hawk
    hen heron horse ibex jay lark lion lynx mole moose moth mouse newt otter owl panda perch pike quail ram raven
    robin seal shark shrew skunk snail sparrow squid stag stork swan tern toad trout whale wolf wren yak
"""


def invent() -> str:
    """Return a name such as `calm-otter-512`."""
    return f"{secrets.choice(_FIRST.split())}-{secrets.choice(_SECOND.split())}-{secrets.randbelow(1000)}"
