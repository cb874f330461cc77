"""Child runs: one, many, submitted, found."""

import time

import pytest

from runs.actions import recording, submission
from runs.models import Run as Row
from studio_sdk.core import Run
from studio_sdk.exceptions import UserErrorException
from studio_sdk.transport import Client


@pytest.fixture
def requests(monkeypatch) -> list[str]:
    """What is sent to the server from now on."""
    sent: list[str] = []
    before = Client.request

    def request(self, method, path, **options):
        sent.append(f"{method} {path}")
        return before(self, method, path, **options)

    monkeypatch.setattr(Client, "request", request)
    return sent


def test_a_child_run_knows_its_parent(run):
    child = run.child_run(name="fold 1")

    assert child.get_status() == "Running"
    assert (child.parent.id, child.display_name) == (run.id, "fold 1")
    assert run.parent is None


def test_a_child_run_ends_with_its_block(run):
    with run.child_run() as child:
        child.log(name="Hello from child run", value=1)

    assert child.get_status() == "Completed"
    assert run.get_status() == "Running"


def test_many_children_are_one_request(run, requests):
    children = run.create_children(count=100)

    assert len(requests) == 1
    assert len({child.id for child in children}) == 100
    assert [child.tags["azureml.batch_child_number"] for child in children[:3]] == ["0", "1", "2"]
    assert {child.status for child in children} == {"Running"}


@pytest.fixture
def lost_answers(monkeypatch) -> list[int]:
    """The first answer of each request gets lost on its way back."""
    lost: list[int] = []
    before = Client._send

    def send(self, method, target, payload, headers, reached, read):
        answer = before(self, method, target, payload, headers, reached, read)
        if len(lost) % 2 == 0:
            lost.append(answer.status)
            raise ConnectionResetError("the answer got lost")
        lost.append(answer.status)
        return answer

    monkeypatch.setattr(Client, "_send", send)
    return lost


def test_a_lost_answer_neither_loses_nor_doubles_children(run, lost_answers):
    children = run.create_children(count=3)

    assert lost_answers == [201, 201]
    assert list(Row.objects.filter(parent__run_id=run.id).order_by("id").values_list("run_id", flat=True)) == [
        child.id for child in children
    ]


def test_a_lost_answer_starts_no_interactive_run_twice(experiment, lost_answers):
    run = experiment.start_logging(snapshot_directory=None)

    assert lost_answers == [201, 201]
    assert Row.objects.get().run_id == run.id


def test_children_by_the_values_of_a_tag(run):
    children = run.create_children(tag_key="fold", tag_values=["a", 2, None])

    assert [child.tags for child in children] == [{"fold": "a"}, {"fold": "2"}, {"fold": None}]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"count": 3, "tag_key": "a", "tag_values": ["b"]},
        {"tag_key": "a"},
        {"tag_values": ["a"]},
        {"count": 0},
        {"count": "3"},
        {"count": 1001},
    ],
)
def test_children_that_make_no_sense_are_refused(run, arguments):
    with pytest.raises(UserErrorException):
        run.create_children(**arguments)


def test_children_are_listed_newest_first_and_the_generator_can_be_printed(run):
    first, second = run.create_children(count=2)

    assert "generator" in repr(run.get_children())
    assert [child.id for child in run.get_children()] == [second.id, first.id]


def test_grandchildren_come_with_recursive(run):
    child = run.child_run()
    grandchild = child.child_run()

    assert {each.id for each in run.get_children()} == {child.id}
    assert {each.id for each in run.get_children(recursive=True)} == {child.id, grandchild.id}


def test_children_are_filtered_by_status_tags_and_properties(run):
    good, bad = run.create_children(tag_key="fold", tag_values=["good one", "bad"])
    bad.fail("x")
    good.add_properties({"author": "olivia"})

    assert [each.id for each in run.get_children(status="Failed")] == [bad.id]
    assert [each.id for each in run.get_children(tags={"fold": "good one"})] == [good.id]
    assert [each.id for each in run.get_children(tags="fold", properties={"author": "olivia"})] == [good.id]
    assert list(run.get_children(type="azureml.scriptrun")) == []


@pytest.mark.slow
def test_metrics_of_300_children_are_a_handful_of_requests_and_under_two_seconds(run, person, noon, requests):
    parent = Row.objects.get(run_id=run.id)
    children = submission.create_children(parent=parent, by=person, at=noon, children=[{} for _ in range(300)])
    for child in children:
        points = [recording.Point(name, value=step) for name in ("loss", "accuracy") for step in range(10)]
        recording.log_metrics(run=child, points=points, at=noon)
    again = Run(run.experiment, run.id)
    requests.clear()

    started = time.process_time()
    metrics = again.get_metrics(recursive=True)
    took = time.process_time() - started  # of the server, too, which is a thread of this process

    assert len(metrics) == 300
    assert metrics[children[7].run_id] == {"loss": list(range(10)), "accuracy": list(range(10))}
    assert len(requests) <= 5
    assert took < 2
