"""run.log*: from a value in a script to points on the server and back."""

import math

import numpy as np
import pytest

from runs.models import MetricPoint
from studio_sdk.exceptions import UserErrorException


def test_one_value_comes_back_as_it_is(run):
    run.log("accuracy", 0.91)

    assert run.get_metrics() == {"accuracy": 0.91}


def test_a_text_is_a_value(run):
    run.log(name="message", value="Hello from run!")

    assert run.get_metrics() == {"message": "Hello from run!"}


def test_the_same_name_again_makes_a_list_in_order(run):
    run.log("loss", 3)
    run.log("loss", 2.5)
    run.log("loss", 1, step=7)

    assert run.get_metrics("loss") == {"loss": [3, 2.5, 1]}
    assert list(MetricPoint.objects.order_by("id").values_list("step", flat=True)) == [0, 1, 7]


@pytest.mark.parametrize("value", [np.int64(3), np.float32(3), np.array(3), np.array([3]), True + 2])
def test_a_number_of_numpy_is_a_number(run, value):
    run.log("n", value)

    assert run.get_metrics() == {"n": 3}


def test_a_series_of_whole_numbers_reads_back_as_such_and_any_other_as_floats(run):
    run.log_list("whole", [1, 2.0])
    run.log_list("mixed", [0.5, 1, 2.0])
    run.log_row("row", whole=1, float=1.0)

    metrics = run.get_metrics()
    assert repr(metrics["whole"]) == "[1, 2]"
    assert repr(metrics["mixed"]) == "[0.5, 1.0, 2.0]"
    assert repr(metrics["row"]) == "{'whole': 1, 'float': 1.0}"


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e308 * 10])
def test_infinities_arrive(run, value):
    run.log("n", value)

    assert run.get_metrics() == {"n": value}


@pytest.mark.parametrize("value", [math.nan, None, np.nan])
def test_no_number_is_nan(run, value):
    run.log("n", value)

    assert math.isnan(run.get_metrics()["n"])


@pytest.mark.parametrize("value", [[1, 2], (1, 2), range(3), np.array([1, 2])])
def test_many_values_at_once_are_refused_with_a_hint(run, value):
    with pytest.raises(UserErrorException, match="log_list"):
        run.log("n", value)


def test_what_is_no_number_is_text_with_a_warning(run, capsys):
    run.log("n", {"a": 1})

    assert run.get_metrics() == {"n": "{'a': 1}"}
    assert "logged as text" in capsys.readouterr().err


def test_a_list_is_logged_from_any_iterable(run):
    run.log_list("a", np.array([1, 2, 3], dtype=np.int64))
    run.log_list("g", (x / 2 for x in range(3)))
    run.log_list("nothing", [])

    assert run.get_metrics() == {"a": [1, 2, 3], "g": [0, 0.5, 1]}


def test_a_list_in_a_list_is_refused(run):
    with pytest.raises(UserErrorException):
        run.log_list("a", [[1, 2], [3, 4]])


def test_rows_make_a_table(run):
    run.log_row("losses", epoch=1, value=0.5)
    run.log_row("losses", epoch=np.int64(2), value=0.25, stat="best")

    expected = {"epoch": [1, 2], "value": [0.5, 0.25], "stat": [None, "best"]}
    assert run.get_metrics() == {"losses": expected}


def test_a_single_row_is_a_dict_of_values(run):
    run.log_row("best", alpha=0.4, mse=math.nan)

    assert run.get_metrics()["best"]["alpha"] == 0.4
    assert math.isnan(run.get_metrics()["best"]["mse"])


def test_a_table_is_logged_by_columns(run):
    run.log_table("sine", {"angle": [0, 1], "sine": np.array([0.0, 0.84])})
    run.log_table("one", {"a": 1, "b": 2})

    assert run.get_metrics() == {"sine": {"angle": [0, 1], "sine": [0, 0.84]}, "one": {"a": 1, "b": 2}}


def test_columns_of_unequal_length_are_refused_by_their_lengths(run):
    with pytest.raises(UserErrorException, match=r"'a' has 2, 'b' has 3"):
        run.log_table("t", {"a": [1, 2], "b": [1, 2, 3]})


def test_documents_come_back(run):
    matrix = {
        "schema_type": "confusion_matrix",
        "schema_version": "1.0.0",
        "data": {"class_labels": ["0"], "matrix": [[1]]},
    }

    run.log_confusion_matrix("test", matrix)

    assert run.get_metrics() == {"test": matrix}


def test_a_document_that_is_no_json_is_refused(run):
    with pytest.raises(UserErrorException, match="no JSON"):
        run.log_residuals("test", "{")


def test_an_image_becomes_a_file_and_a_point(run, folder):
    (folder / "plot.png").write_bytes(b"\x89PNG")

    run.log_image("my plot", path="plot.png")

    path = run.get_metrics()["my plot"]
    assert path.startswith("images/my_plot_")
    assert path in run.get_file_names()


def test_an_image_can_be_a_figure(run):
    class Figure:
        def savefig(self, file, **_):
            file.write(b"\x89PNG of a figure")

    run.log_image("plot", plot=Figure())

    assert run.get_metrics()["plot"].endswith(".png")


def test_an_image_is_a_path_or_a_plot(run):
    with pytest.raises(UserErrorException, match="one of the two"):
        run.log_image("plot")


@pytest.mark.parametrize("name", ["", "  ", 3, "x" * 251])
def test_a_bad_name_is_refused(run, name):
    with pytest.raises(UserErrorException, match="name of a metric"):
        run.log(name, 1)


def test_one_bad_point_does_not_take_others_with_it(run, capsys):
    run.log("mixed", 1)
    run.flush()
    run.log_row("mixed", a=1)
    run.log("good", 2)

    assert run.get_metrics() == {"mixed": 1, "good": 2}
    assert "refused" in capsys.readouterr().err


def test_an_unknown_name_is_an_empty_dict(run):
    assert run.get_metrics("nothing") == {}


def test_recursive_metrics_come_by_run_id(run):
    child = run.child_run()
    run.log("a", 1)
    child.log("a", 2)

    assert run.get_metrics(recursive=True) == {run.id: {"a": 1}, child.id: {"a": 2}}
