"""Charts: no number breaks them, what is no number is a mark, and a smoothed line keeps the raw one."""

import math

from hypothesis import given
from hypothesis import strategies as st

from runs.views import run_chart
from runs.views.curves import Axis, CurvePoint
from runs.views.run_chart import Line


def line(*pairs, **more):
    points = [CurvePoint(x, y) for x, y in pairs]
    return Line("loss", points, len(points), **more)


def test_what_is_no_number_is_a_mark_and_no_gap():
    points = [CurvePoint(1, 1.0), CurvePoint(2, None, "NaN"), CurvePoint(3, None, "-Infinity"), CurvePoint(4, 2.0)]

    chart = run_chart.draw([Line("loss", points, 4)], x_label="Step")

    assert [mark.title for mark in chart.marks] == ["2: NaN", "3: -Infinity"]
    assert chart.lines[0].path.count("M") == 1
    assert len(chart.lines[0].dots) == 2


@given(
    st.lists(
        st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)), max_size=30
    ),
    st.booleans(),
    st.sampled_from(Axis),
)
def test_any_numbers_make_a_chart(pairs, is_log, axis):
    chart = run_chart.draw([line(*sorted(pairs))], x_label="Step", is_log=is_log, axis=axis)

    text = "".join(drawn.path for drawn in chart.lines)
    assert "nan" not in text
    assert "inf" not in text
    assert all(math.isfinite(float(tick.at)) for tick in chart.x_ticks + chart.y_ticks)


def test_a_log_scale_has_powers_of_ten_and_counts_what_it_cannot_show():
    chart = run_chart.draw([line((0, 0.002), (1, 50.0), (2, 0.0), (3, -1.0))], x_label="Step", is_log=True)

    assert [tick.label for tick in chart.y_ticks] == ["0.001", "0.01", "0.1", "1", "10", "100"]
    assert chart.hidden_count == 2


def test_smoothing_begins_at_the_first_value_and_keeps_the_raw_line():
    raw = [CurvePoint(0, 4.0), CurvePoint(1, 0.0), CurvePoint(2, None, "NaN"), CurvePoint(3, 0.0)]

    smooth = run_chart.smoothed(raw, 0.5)
    document = run_chart.document(
        [Line("loss", raw, 4, smooth=smooth)], x_label="Step", axis=Axis.STEP, is_log=False, caption=""
    )

    assert [(point.x, round(point.y, 3)) for point in smooth] == [(0, 4.0), (1, 1.333), (3, 0.571)]
    assert [series["label"] for series in document["series"]] == ["loss", "loss ~", "loss ×"]
    assert document["series"][0]["points"] == [[0, 4.0], [1, 0.0], [3, 0.0]]
    assert document["series"][2]["words"] == ["NaN"]
