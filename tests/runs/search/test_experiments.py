"""The search bar over the list of experiments."""

import pytest

from runs import search
from runs.models import Experiment
from runs.search import experiments
from tests import factories


@pytest.fixture
def three(workspace):
    factories.experiment(workspace, "churn-eu", description="Who leaves?", tags={"team": "Vision"})
    factories.experiment(workspace, "sales", tags={"città": "Forlì"})
    factories.experiment(workspace, "100%")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["100%", "churn-eu", "sales"]),
        ("CHURN", ["churn-eu"]),
        ("leaves", ["churn-eu"]),
        ("vision team", ["churn-eu"]),
        ("forlì", ["sales"]),
        ("0%", ["100%"]),
        ("churn OR sales", ["churn-eu", "sales"]),
        ("-s", ["100%"]),
        ("(eu OR sales) -team", ["sales"]),
    ],
)
def test_words_are_found_in_name_description_and_tags(text, names, three):
    found = experiments.apply(Experiment.objects.order_by("name"), text)

    assert [experiment.name for experiment in found] == names


def test_a_field_is_refused_with_its_position(three):
    with pytest.raises(search.QuerySyntaxError, match="experiments have no field 'status' at 7"):
        experiments.apply(Experiment.objects.all(), "churn status:failed")
