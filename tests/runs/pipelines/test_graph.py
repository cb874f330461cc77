import time

from hypothesis import given
from hypothesis import strategies as st

from runs.pipelines import graph
from runs.status import ACTIVE, TERMINAL, RunStatus

S = RunStatus
DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}


def statuses(**given: RunStatus) -> dict[str, RunStatus]:
    return {node: given.get(node, S.NOT_STARTED) for node in DIAMOND}


def test_what_has_no_parents_is_ready_first() -> None:
    assert graph.ready(DIAMOND, statuses()) == ["a"]


def test_a_node_waits_for_all_of_its_parents() -> None:
    assert graph.ready(DIAMOND, statuses(a=S.COMPLETED)) == ["b", "c"]
    assert graph.ready(DIAMOND, statuses(a=S.COMPLETED, b=S.COMPLETED, c=S.RUNNING)) == []
    assert graph.ready(DIAMOND, statuses(a=S.COMPLETED, b=S.COMPLETED, c=S.COMPLETED)) == ["d"]


def test_a_failure_blocks_what_comes_after_it() -> None:
    now = statuses(a=S.COMPLETED, b=S.FAILED, c=S.NOT_STARTED)

    assert graph.blocked(DIAMOND, now) == {"d": "b"}
    assert graph.ready(DIAMOND, now) == ["c"]
    assert graph.blocked(DIAMOND, now, stops_all=True) == {"c": "b", "d": "b"}


def test_a_forgiven_failure_blocks_nothing() -> None:
    now = statuses(a=S.COMPLETED, b=S.FAILED, c=S.COMPLETED)

    assert graph.ready(DIAMOND, now, forgiven={"b"}) == ["d"]
    assert graph.blocked(DIAMOND, now, forgiven={"b"}, stops_all=True) == {}
    assert graph.outcome({"b": S.FAILED}, forgiven={"b"}) is S.COMPLETED


def test_a_canceled_node_is_never_forgiven() -> None:
    assert graph.blocked(DIAMOND, statuses(a=S.CANCELED), forgiven={"a"}) == {"b": "a", "c": "a", "d": "a"}


def test_a_failure_counts_more_than_a_cancel() -> None:
    assert graph.outcome({"a": S.FAILED, "b": S.CANCELED}) is S.FAILED
    assert graph.outcome({"a": S.COMPLETED, "b": S.CANCELED}) is S.CANCELED
    assert graph.outcome({"a": S.FAILED, "b": S.RUNNING}) is None


def test_the_critical_path_is_where_the_time_went() -> None:
    assert graph.critical_path(DIAMOND, {"a": 1, "b": 5, "c": 2, "d": 1}) == ["a", "b", "d"]
    assert graph.critical_path({}, {}) == []


def test_children_are_drawn_below_their_parents_and_near_them() -> None:
    crossed = {"a": [], "b": [], "under-b": ["b"], "under-a": ["a"]}

    places = graph.layers(crossed)

    assert [places[node].layer for node in crossed] == [0, 0, 1, 1]
    assert (places["a"].order < places["b"].order) == (places["under-a"].order < places["under-b"].order)


def test_two_cycles_are_both_found() -> None:
    found = graph.cycles({"a": ["b"], "b": ["a"], "c": ["c"], "d": ["a", "c"]})

    assert sorted(sorted(set(cycle)) for cycle in found) == [["a", "b"], ["c"]]


def test_a_deep_chain_and_a_wide_graph_are_quick() -> None:
    chain = {n: [n - 1] if n else [] for n in range(5000)}
    wide = {(layer, n): [(layer - 1, m) for m in range(50)] if layer else [] for layer in range(20) for n in range(50)}
    began = time.process_time()

    assert graph.cycles(chain) == []
    assert len(graph.layers(wide)) == 1000
    assert len(graph.critical_path(chain, {})) == 5000
    assert time.process_time() - began < 1.5


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[int, list[int]], dict[int, RunStatus], set[int], bool]:
    size = draw(st.integers(1, 8))
    parents = {node: [other for other in range(node) if draw(st.booleans())] for node in range(size)}
    drawn = {node: draw(st.sampled_from(list(RunStatus))) for node in parents}
    forgiven = {node for node in parents if draw(st.booleans())}
    return parents, drawn, forgiven, draw(st.booleans())


@given(graphs())
def test_while_something_waits_something_can_be_done(
    drawn: tuple[dict[int, list[int]], dict[int, RunStatus], set[int], bool],
) -> None:
    parents, now, forgiven, stops_all = drawn
    waiting = {node for node in parents if now[node] is S.NOT_STARTED}
    at_work = any(status in ACTIVE - {S.NOT_STARTED} for status in now.values())

    ready = set(graph.ready(parents, now, forgiven))
    blocked = graph.blocked(parents, now, forgiven, stops_all=stops_all)

    assert ready | set(blocked) <= waiting
    assert ready.isdisjoint(blocked) or stops_all
    assert not waiting or ready or blocked or at_work
    assert all(now[cause] in TERMINAL for cause in blocked.values())
    assert (graph.outcome(now, forgiven) is None) == (bool(waiting) or at_work)
