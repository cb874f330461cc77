"""What the children of `up` load before they begin."""

import gc
from collections.abc import Iterator

import pytest
from django.template.loader import get_template
from django.template.loaders import filesystem

from runs.management import parts


@pytest.fixture
def thawed() -> Iterator[None]:
    """This process as it was."""
    yield
    gc.unfreeze()


def test_pages_are_loaded_before_the_first_request_and_no_collection_looks_at_them(thawed, monkeypatch):
    parts.load_pages()

    monkeypatch.setattr(filesystem.Loader, "get_contents", None)
    assert get_template("run/run_detail.html")
    assert gc.get_freeze_count() > 50_000
