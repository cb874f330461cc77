"""What the children of `up` load before they begin."""

import gc
from collections.abc import Iterator

import pytest

from runs.management import parts


@pytest.fixture
def thawed() -> Iterator[None]:
    """This process as it was."""
    yield
    gc.unfreeze()


def test_no_collection_looks_at_what_pages_are_made_of(thawed):
    parts.load_pages()

    assert gc.get_freeze_count() > 50_000
