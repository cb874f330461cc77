"""The import itself. Whatever it is interrupted at, it goes on there when it is run again.

Runs and models keep their ids, by which they are found again. Points are known by their
step, time and value, files by their name and size. A run of which all points, or all
files, are here is marked, and not read again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby

from studio_sdk.exceptions import ServerUnreachable, ServiceException, UserErrorException
from studio_sdk.mlflow_import import documents, files, logged_models, points
from studio_sdk.mlflow_import.job import FILES, POINTS, Document, Job, batches
from studio_sdk.mlflow_import.rest import RUNS_PER_PAGE
from studio_sdk.mlflow_import.tally import Tally
from studio_sdk.transport import quote, quote_name

_PAIRS_PER_BATCH = 100
_RUNS_PER_COUNT = 1_000


def run(job: Job) -> Tally:
    """Bring what is asked for, and count it on both sides.

    1. Experiments and runs, with all that a search tells of them: parents before their children.
    2. Logged models, which runs may refer to.
    3. What hangs on each run: points, datasets, files.
    4. What is deleted there is deleted here.
    """
    experiments = _experiments(job)
    waiting: dict[str, list[tuple[str, Document]]] = defaultdict(list)
    for experiment in experiments:
        for page in _pages(job, experiment):
            job.tally.there["runs"] += len(page)
            _take(job, [(experiment["name"], each) for each in page], waiting)
    _take_orphans(job, waiting)
    for experiment in experiments:
        logged_models.take(job, experiment)
    for experiment in experiments:
        for page in _pages(job, experiment):
            _complete(job, experiment["name"], [each for each in page if each["info"]["run_id"] in job.runs])
    for run_id in job.holders:
        _complete_holder(job, run_id)
    for experiment in experiments:
        if experiment.get("lifecycle_stage") == "deleted":
            _delete_experiment(job, experiment)
    _count(job, len(experiments))
    return job.tally


def _experiments(job: Job) -> list[Document]:
    found = list(job.store.experiments(with_deleted=job.options.with_deleted))
    wanted = job.options.experiments
    names = {each["name"] for each in found}
    for name in wanted:
        if name not in names:
            raise UserErrorException(f"The store has no experiment {name!r}.")
    taken = [each for each in found if not wanted or each["name"] in wanted]
    job.tally.there["experiments"] = len(taken)
    return [each for each in taken if job.attempt("experiment", each["name"], _make_experiment, job, each)]


def _pages(job: Job, experiment: Document) -> Iterator[list[Document]]:
    return job.store.runs(experiment["experiment_id"], with_deleted=job.options.with_deleted)


def _make_experiment(job: Job, experiment: Document) -> str:
    """Make the experiment, and return its id here; what the store says of it is taken where nothing is said here."""
    name = experiment["name"]
    body: Document = {"workspace": job.workspace, "experiment": name, "runs": []}
    if experiment.get("creation_time"):
        body["created_utc"] = documents.instant(int(experiment["creation_time"]))
    job.here.post("/imports", body, repeatable=True)
    address, where = f"/experiments/{quote_name(name)}", {"workspace": job.workspace}
    here = job.here.get(address, where)
    tags = documents.cut_tags(experiment.get("tags", []))
    note = tags.pop(documents.NOTE, "")
    missing: Document = {"tags": {key: value for key, value in tags.items() if key not in here["tags"]}}
    if note and not here["description"]:
        missing["description"] = note
    job.here.patch(address, missing, params=where)
    found = job.dialect.ask("experiments/get-by-name", experiment_name=name)
    job.experiment_ids[name] = found["experiment"]["experiment_id"]
    return job.experiment_ids[name]


def _take(job: Job, runs: Sequence[tuple[str, Document]], waiting: dict[str, list[tuple[str, Document]]]) -> None:
    """Make runs, each with the name of its experiment, and then those that waited for them as their parents."""
    ready = []
    for name, each in runs:
        parent_id = documents.parent_of(each)
        if parent_id and parent_id not in job.runs:
            waiting[parent_id].append((name, each))
        else:
            ready.append((name, each))
    while ready:
        for some in batches(ready, RUNS_PER_PAGE):
            for name, group in groupby(some, key=lambda pair: pair[0]):
                _send(job, name, [each for _, each in group])
        ready = [child for _, each in ready for child in waiting.pop(each["info"]["run_id"], [])]
    job.tell(job.tally)


def _take_orphans(job: Job, waiting: dict[str, list[tuple[str, Document]]]) -> None:
    """Make the runs whose parents are not taken, with what is below them. A parent then is a mere tag."""
    inside = {each["info"]["run_id"] for group in waiting.values() for _, each in group}
    while waiting:
        parent_id = next((each for each in waiting if each not in inside), next(iter(waiting)))
        for name, each in waiting.pop(parent_id):
            _send(job, name, [each])
            _take(job, waiting.pop(each["info"]["run_id"], []), waiting)


def _send(job: Job, experiment: str, runs: list[Document]) -> None:
    """Make runs of one experiment. If one is refused, the others are made without it."""
    tracked = [documents.tracked_run(each, parent_id=_parent_here(job, each)) for each in runs]
    body = {"workspace": job.workspace, "experiment": experiment, "runs": tracked}
    try:
        items = job.here.post("/imports", body, repeatable=True)["items"]
    except ServerUnreachable:
        raise
    except ServiceException as error:
        if len(runs) == 1:
            job.tally.refuse(f"run {tracked[0]['run_id']}", error)
            return
        for each in runs:
            _send(job, experiment, [each])
        return
    job.runs.update((item["run_id"], item) for item in items)


def _parent_here(job: Job, run: Document) -> str:
    """Return the id of the run's parent, if that is here."""
    parent_id = documents.parent_of(run)
    return parent_id if parent_id in job.runs else ""


def _complete(job: Job, experiment: str, runs: list[Document]) -> None:
    """Bring what is missing of these runs, and mark those of which nothing is missing any more."""
    open_ones = [each for each in runs if POINTS not in job.runs[each["info"]["run_id"]]["properties"]]
    before = _as_they_are(
        job, experiment, [each for each in open_ones if not job.runs[each["info"]["run_id"]]["is_new"]]
    )
    for each in open_ones:
        run_id = each["info"]["run_id"]
        job.attempt("run", run_id, _tell, job, each, before.get(run_id))
    counts = points.send(job, open_ones)
    ids = [each["info"]["run_id"] for each in runs]
    marks: dict[str, dict[str, str]] = {}
    for each, of_files in zip(runs, job.pool.map(lambda run_id: _take_files(job, run_id), ids)):
        run_id = each["info"]["run_id"]
        found = {POINTS: str(counts[run_id]), **job.runs[run_id]["properties"], **of_files}
        job.tally.there.update(
            params=len(documents.params_of(each)),
            tags=len(_tags(job, each)),
            metrics=len(each["data"].get("metrics", [])),
            points=int(found[POINTS]),
            datasets=len(each.get("inputs", {}).get("dataset_inputs", [])),
        )
        _count_files(job, of_files)
        # What goes on there is not done here.
        if documents.is_settled(each):
            marks[run_id] = {POINTS: found[POINTS], **of_files}
        job.tally.runs_done += 1
        job.tell(job.tally)
    _mark(job, marks)
    for each in filter(documents.is_deleted, runs):
        run_id = each["info"]["run_id"]
        job.attempt("run", run_id, job.dialect.call, "runs/delete", {"run_id": run_id})


def _complete_holder(job: Job, run_id: str) -> None:
    """Bring the files of models that no run of the store made."""
    job.runs[run_id] = {"is_new": False, **job.here.get(f"/runs/{quote(run_id)}")}
    of_files = _take_files(job, run_id)
    _count_files(job, of_files)
    _mark(job, {run_id: of_files})


def _take_files(job: Job, run_id: str) -> dict[str, str]:
    """Bring the files of a run, upon which its models are final; return the mark of them."""
    taken = job.attempt("run", run_id, files.take, job, run_id) if job.options.with_files else None
    job.attempt("run", run_id, logged_models.finalize, job, run_id)
    if taken is None:
        return {}
    return {FILES: f"{taken.file_count} {taken.byte_count}"}


def _count_files(job: Job, mark: dict[str, str]) -> None:
    if FILES in mark:
        file_count, byte_count = map(int, mark[FILES].split())
        job.tally.there.update(files=file_count, bytes=byte_count)


def _as_they_are(job: Job, experiment: str, runs: list[Document]) -> dict[str, Document]:
    """Return how runs are here that were here before, by their ids."""
    found: dict[str, Document] = {}
    if runs:
        ids = [each["info"]["run_id"] for each in runs]
        names = "', '".join(ids)
        body = {
            "experiment_ids": [job.experiment_ids[experiment]],
            "filter": f"run_id IN ('{names}')",
            "run_view_type": "ALL",
            "max_results": len(ids),
        }
        found = {each["info"]["run_id"]: each for each in job.dialect.call("runs/search", body).get("runs", [])}
    return found


def _tell(job: Job, run: Document, before: Document | None) -> None:
    """Tell what a run reads and makes, and of one that was here `before` what is new since."""
    info, run_id = run["info"], run["info"]["run_id"]
    if before is not None:
        for name, held, known in (
            ("params", documents.params_of(run), documents.params_of(before)),
            ("tags", _tags(job, run), documents.tags_of(before)),
        ):
            fresh = [{"key": key, "value": value} for key, value in held.items() if known.get(key) != value]
            for some in batches(fresh, _PAIRS_PER_BATCH):
                job.dialect.call("runs/log-batch", {"run_id": run_id, name: some})
        if documents.has_ended(run) and before["info"]["status"] != info["status"]:
            end = {"end_time": info["end_time"]} if info.get("end_time") else {}
            job.dialect.call("runs/update", {"run_id": run_id, "status": info["status"], **end})
    inputs = run.get("inputs", {})
    datasets = inputs.get("dataset_inputs", [])
    read = [each for each in inputs.get("model_inputs", []) if each["model_id"] in job.model_ids]
    if datasets or read:
        job.dialect.call("runs/log-inputs", {"run_id": run_id, "datasets": datasets, "models": read})
    made = [each for each in run.get("outputs", {}).get("model_outputs", []) if each["model_id"] in job.model_ids]
    if made:
        job.dialect.call("runs/outputs", {"run_id": run_id, "models": made})


def _tags(job: Job, run: Document) -> dict[str, str]:
    return documents.own_tags(run, has_parent=bool(job.runs[run["info"]["run_id"]]["parent_run_id"]))


def _mark(job: Job, marks: dict[str, dict[str, str]]) -> None:
    """Mark runs of which nothing was refused."""
    fresh = {
        run_id: each
        for run_id, each in marks.items()
        if run_id not in job.failed and not each.items() <= job.runs[run_id]["properties"].items()
    }
    if fresh:
        job.here.post("/imports/properties", {"runs": fresh}, repeatable=True)


def _delete_experiment(job: Job, experiment: Document) -> None:
    address = f"/experiments/{quote_name(experiment['name'])}/archive"
    job.here.request("POST", address, params={"workspace": job.workspace}, body={}, repeatable=True)


def _count(job: Job, experiment_count: int) -> None:
    """Let the server count what it has of the runs that were taken."""
    job.tally.here["experiments"] = experiment_count
    for some in batches([each for each in job.runs if each not in job.holders], _RUNS_PER_COUNT):
        job.tally.here.update(job.here.post("/imports/counts", {"run_ids": list(some)}, repeatable=True))
    for some in batches(job.holders, _RUNS_PER_COUNT):
        found = job.here.post("/imports/counts", {"run_ids": list(some)}, repeatable=True)
        job.tally.here.update({name: found[name] for name in ("models", "files", "bytes")})
    if not job.options.with_files:
        # What was brought by an import with files stays out of the comparison.
        job.tally.here["files"] = job.tally.here["bytes"] = 0
