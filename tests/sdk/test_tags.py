"""Tags, which change, and properties, which do not."""

import pytest

from studio_sdk.exceptions import ServiceException, UserErrorException


def test_a_tag_is_set_and_overwritten(run):
    run.tag("quality", "great run")
    run.tag("quality", "fantastic run")

    assert run.get_tags() == {"quality": "fantastic run"}


def test_a_tag_without_a_value_is_none(run):
    run.tag("worth another look")

    assert run.get_tags() == {"worth another look": None}


def test_values_become_text(run):
    run.set_tags({"n": 1, "x": 0.5, "none": None})

    assert run.get_tags() == {"n": "1", "x": "0.5", "none": None}


def test_set_tags_leaves_others(run):
    run.set_tags({"a": "1"})
    run.set_tags({"b": "2"})
    run.set_tags({})

    assert run.get_tags() == {"a": "1", "b": "2"}


def test_tags_are_removed(run):
    run.set_tags({"a": "1", "b": "2", "c": "3"})

    run.remove_tags(["a", "b"])

    assert run.get_tags() == {"c": "3"}


def test_tags_are_a_dict(run):
    with pytest.raises(UserErrorException, match="dict"):
        run.set_tags(["a"])


def test_properties_are_added(run):
    run.add_properties({"author": "azureml-user"})
    run.add_properties({"n": 1})
    run.add_properties({})

    assert run.get_properties() == {"author": "azureml-user", "n": "1"}


def test_a_property_can_not_be_changed(run):
    run.add_properties({"author": "azureml-user"})

    with pytest.raises(ServiceException, match="author"):
        run.add_properties({"author": "different-user"})

    assert run.get_properties() == {"author": "azureml-user"}


def test_the_same_property_again_is_no_error(run):
    run.add_properties({"author": "azureml-user"})
    run.add_properties({"author": "azureml-user"})

    assert run.get_properties() == {"author": "azureml-user"}
