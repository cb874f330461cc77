"""`studio import mlflow`: what it refuses, whom it asks as whom, and histories that no answer holds whole."""

import os
import sys
from pathlib import Path

import pytest

from runs.models import Run
from studio_sdk.exceptions import ServiceException
from studio_sdk.mlflow_import import local_store, rest
from studio_sdk.mlflow_import.rest import Mlflow, Point, store_at
from tests import factories


def test_what_is_no_store_is_said_before_anything_is_done(studio, folder):
    absent = studio("import", "mlflow", "--from", "mlruns", code=1)
    gone = studio("import", "mlflow", "--from", "sqlite:///mlflow.db", code=1)
    strange = studio("import", "mlflow", "--from", "databricks://profile", code=1)

    assert absent.stderr.splitlines() == ["studio: There is no store at mlruns."]
    assert gone.stderr.splitlines() == ["studio: There is no store at mlflow.db."]
    assert "'databricks://profile' is no store of MLflow's; expected http://HOST:PORT" in strange.stderr


def test_a_folder_needs_mlflow_and_it_is_said_how_to_do_without(studio, folder, monkeypatch):
    (folder / "mlruns").mkdir()
    monkeypatch.setenv("PATH", str(folder))

    said = studio("import", "mlflow", "--from", "mlruns", code=1).stderr

    assert "pip install mlflow" in said
    assert "mlflow server --backend-store-uri mlruns --port 5000" in said


def test_a_server_that_does_not_start_says_why(folder, monkeypatch):
    program = folder / "mlflow"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.exit('The schema is out of date: ' + ' '.join(sys.argv[1:4]))\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    with pytest.raises(Exception, match="The schema is out of date: server --backend-store-uri postgresql://db/x"):
        local_store.address_of("postgresql://db/x").__enter__()


def test_runs_that_are_elsewhere_on_this_server_are_refused_one_by_one(studio, server, person, token, monkeypatch):
    factories.member(factories.workspace("elsewhere"), person, "owner")
    experiment = factories.experiment(person.memberships.get(workspace__name="default").workspace, "history")
    runs = [factories.run(experiment, by=person, run_id=f"run-{number}") for number in range(2)]
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", token)

    done = studio("import", "mlflow", "--from", f"{server}/w/default", "-w", "elsewhere", "-o", "tsv", code=1)

    assert "runs\t2\t0" in done.stdout.splitlines()
    for run in runs:
        assert (
            f"run {run.run_id}: There is a run {run.run_id!r} already, in another workspace or in the trash."
            in done.stderr
        )
    assert Run.objects.count() == 2


@pytest.mark.parametrize(
    ("url", "variables", "authorization"),
    [
        ("http://m:5000", {}, ""),
        ("http://m:5000", {"TOKEN": "t"}, "Bearer t"),
        ("http://m:5000", {"TOKEN": "t", "USERNAME": "ada", "PASSWORD": "x"}, "Basic YWRhOng="),
        ("http://ada:x@m:5000/", {"TOKEN": "t"}, "Basic YWRhOng="),
        ("http://m:5000", {"TOKEN": "t", "URI": "http://m:5000/"}, "Bearer t"),
        ("http://m:5000", {"TOKEN": "t", "URI": "http://studio:8000"}, ""),
    ],
)
def test_only_the_server_that_they_are_for_gets_the_credentials(url, variables, authorization, monkeypatch):
    for name in ("TOKEN", "USERNAME", "PASSWORD", "URI"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)

    store = store_at(url, retry_seconds=1)

    assert (store.url, store.authorization) == ("http://m:5000", authorization)


class Store(Mlflow):
    """Answers for histories, of which one answer holds four points at most."""

    def __init__(self, histories, *, knows_bulk=True):
        super().__init__("http://m:5000")
        self.histories_held, self.knows_bulk, self.asked = histories, knows_bulk, []

    def get(self, path, params=None, **options):
        name = Path(path).name
        self.asked.append(name)
        if name == "get-history-bulk":
            if not self.knows_bulk:
                raise ServiceException("no such endpoint", status_code=404)
            found = [(run_id, step) for run_id in sorted(params["run_id"]) for step in self.histories_held[run_id]]
            return {
                "metrics": [{"run_id": run_id, "step": step, "timestamp": 1, "value": 1} for run_id, step in found[:4]]
            }
        start = int(params.get("page_token", 0))
        steps = self.histories_held[params["run_id"]]
        more = {"next_page_token": str(start + 4)} if len(steps) > start + 4 else {}
        return {"metrics": [{"step": step, "timestamp": 1, "value": 1} for step in steps[start : start + 4]], **more}


@pytest.mark.parametrize("knows_bulk", [True, False])
def test_a_history_comes_whole_however_long_it_is(knows_bulk, monkeypatch):
    monkeypatch.setattr(rest, "_POINTS_PER_ANSWER", 4)
    held = {"a": range(1), "b": range(11), "c": range(1), "d": range(2)}
    store = Store(held, knows_bulk=knows_bulk)

    found: dict[str, list[Point]] = {}
    for run_id, points in store.histories("m", list(held)):
        found.setdefault(run_id, []).extend(points)

    assert {run_id: [point.step for point in points] for run_id, points in found.items()} == {
        run_id: list(steps) for run_id, steps in held.items()
    }
    assert store.asked[0] == "get-history-bulk"
    assert len(store.asked) <= 8
