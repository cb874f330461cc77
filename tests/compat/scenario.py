"""What a user of MLflow does, with the unmodified client. Prints what the server answered, as JSON; no test itself."""

import json
import os
import pathlib
import sys
import time

import mlflow
import pandas
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

FILTERS = [
    "metrics.m = 4",
    "metrics.m != 4",
    "metrics.m > 3",
    "metrics.m >= 4",
    "metrics.m < 4",
    "metrics.m <= 4",
    "metrics.nan != 1",
    "metrics.`sys/x y` > 0",
    "params.lr = '0.1'",
    "params.lr != '0.1'",
    "params.lr LIKE '0.%'",
    "params.opt LIKE 'a%'",
    "params.opt ILIKE 'a%'",
    "params.opt IS NULL",
    "params.opt IS NOT NULL",
    "tags.team = 'red'",
    'tags.team != "red"',
    "tags.team IS NULL",
    "tags.team IS NOT NULL",
    "tags.team LIKE 'r%'",
    "tags.team ILIKE 'R%'",
    "tags.mlflow.runName = 'first'",
    "attributes.run_name LIKE 'f%'",
    "attributes.status = 'FINISHED'",
    "status != 'FAILED'",
    "run_name != 'first'",
    "run_name ILIKE 'F%'",
    "user_id LIKE '%'",
    "start_time > 0",
    "start_time >= 1",
    "start_time = 1",
    "start_time != 1",
    "end_time >= 1",
    "end_time < 1",
    "end_time <= 1",
    "run_id NOT IN ('none')",
    "dataset.name = 'iris'",
    "dataset.name != 'iris'",
    "dataset.name LIKE 'i%'",
    "dataset.name ILIKE 'I%'",
    "dataset.name NOT IN ('other')",
    "dataset.context IN ('training')",
    "dataset.context = 'validation'",
    "metrics.m > 3 and params.lr = '0.1' AND tags.team = 'red'",
]
ORDERS = [[], ["metrics.m"], ["metrics.m DESC"], ["params.lr"], ["tags.team DESC"], ["run_name"], ["start_time ASC"]]
OF_EXPERIMENTS = [
    "name = 'compat'",
    "name != 'compat'",
    "name LIKE 'comp%'",
    "name ILIKE 'COMP%'",
    "tags.k = 'v'",
    "tags.k != 'w'",
    "tags.k LIKE 'v%'",
    "tags.k ILIKE 'V%'",
    "creation_time > 0",
    "last_update_time >= 1 AND name = 'compat'",
]
OF_MODELS = ["name = 'model'", "name != 'model'", "name LIKE 'm%'", "params.alpha = '1.0'", "tags.stage = 'new'"]
BAD = ["metrics.m ! 3", "foo.bar = 1", "params.lr = 0.1", "metrics.m > 1 OR metrics.m < 0"]


def refused(call):
    """Return how the server refuses a call."""
    try:
        call()
    except mlflow.exceptions.MlflowException as error:
        return error.error_code
    return "taken"


def files(client, run_id, path=None):
    """Return all files below a folder with their sizes."""
    found: list[list] = []
    for file in client.list_artifacts(run_id, path):
        found += files(client, run_id, file.path) if file.is_dir else [[file.path, file.file_size]]
    return sorted(found)


def first_run(client, folder):
    """Log everything to one run, and a nested one."""
    with mlflow.start_run(run_name="first") as run:
        mlflow.log_params({"lr": 0.1, "opt": "adam"})
        for step in range(5):
            mlflow.log_metric("m", step, step=step)
        mlflow.log_metrics({"nan": float("nan"), "inf": float("inf"), "sys/x y": 1.0})
        mlflow.set_tags({"team": "red", "mlflow.note.content": "a *note*"})
        frame = pandas.DataFrame({"a": [1.0, 2.0]})
        mlflow.log_input(mlflow.data.from_pandas(frame, name="iris"), context="training")
        mlflow.log_text("hello", "dir/ä b.txt")
        mlflow.log_dict({"a": 1}, "d.json")
        mlflow.log_text("", "empty.txt")
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "x.bin").write_bytes(b"x" * 300_000)
        mlflow.log_artifacts(str(folder), "many")
        with mlflow.start_run(run_name="nested", nested=True):
            mlflow.log_metric("m", 9)
    return run.info.run_id


def document(client, run_id):
    """Return a run without its ids and times."""
    run = client.get_run(run_id)
    history = client.get_metric_history(run_id, "m")
    return {
        "status": run.info.status,
        "name": run.info.run_name,
        "stage": run.info.lifecycle_stage,
        "has_end": bool(run.info.end_time),
        "metrics": {key: repr(value) for key, value in sorted(run.data.metrics.items())},
        "history": [[point.step, point.value] for point in history],
        "params": dict(sorted(run.data.params.items())),
        "tags": {
            key: value
            for key, value in sorted(run.data.tags.items())
            if key not in ("mlflow.parentRunId", "mlflow.log-model.history", "mlflow.autologging")
        },
        "datasets": [
            [one.dataset.name, one.dataset.digest, one.dataset.source_type, one.dataset.schema, one.dataset.profile]
            + [[tag.key, tag.value] for tag in one.tags]
            for one in run.inputs.dataset_inputs
        ],
    }


def of_experiments(client):
    """Find, rename, delete and restore experiments."""
    other = client.create_experiment("other", tags={"k": "w"})
    # A name is held even by what is deleted, and this is played more than once on one server.
    own = {"compat": "compat", "other": "other", f"renamed-{other}": "renamed"}

    def names(**query):
        return [own[each.name] for each in client.search_experiments(**query) if each.name in own]

    found = {text: sorted(names(filter_string=text)) for text in OF_EXPERIMENTS}
    found["order"] = names(order_by=["name DESC"])
    client.rename_experiment(other, f"renamed-{other}")
    client.delete_experiment_tag(other, "k")
    client.delete_experiment(other)
    found["deleted"] = [names(), names(view_type=ViewType.DELETED_ONLY), refused(lambda: client.create_run(other))]
    client.restore_experiment(other)
    restored = client.get_experiment(other)
    return found | {"restored": [own[restored.name], restored.lifecycle_stage, restored.tags]}


def of_large_files(client, folder):
    """Send and fetch a file that the client would rather send in parts."""
    content = os.urandom(20 * 2**20)
    (folder / "large.bin").write_bytes(content)
    with mlflow.start_run(run_name="large") as run:
        mlflow.log_artifact(str(folder / "large.bin"), "weights")
        mlflow.log_table({"a": [1, 2]}, "table.json")
    copy = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="weights/large.bin")
    table = mlflow.load_table("table.json", run_ids=[run.info.run_id]).to_dict()
    return [pathlib.Path(copy).read_bytes() == content, files(client, run.info.run_id), table]


def of_the_machine(client):
    """Let the client measure its machine, in both ways that there are to ask for it."""
    mlflow.set_system_metrics_sampling_interval(0.2)
    with mlflow.start_run(run_name="asked", log_system_metrics=True) as asked:
        wait_for_metrics(client, asked)
    mlflow.enable_system_metrics_logging()
    with mlflow.start_run(run_name="enabled") as enabled:
        wait_for_metrics(client, enabled)
    mlflow.disable_system_metrics_logging()
    return [sorted(client.get_run(run.info.run_id).data.metrics) for run in (asked, enabled)]


def wait_for_metrics(client, run):
    """Wait until the first are there: those that are measured when a run ends are left out."""
    deadline = time.monotonic() + 60
    while not client.get_run(run.info.run_id).data.metrics and time.monotonic() < deadline:
        time.sleep(0.1)


def of_tuning(client, own):
    """Let autologging make a child for each candidate."""
    with mlflow.start_run(run_name="tuned") as tuned:
        GridSearchCV(Ridge(), {"alpha": [0.5, 1.0]}, cv=2).fit([[1.0], [2.0], [3.0], [4.0]], [1.0, 2.0, 3.0, 4.0])
    of_parent = f"tags.`mlflow.parentRunId` = '{tuned.info.run_id}'"
    children = client.search_runs([own], of_parent, order_by=["params.alpha"])
    parents = {mlflow.get_parent_run(child.info.run_id).info.run_name for child in children}
    return [[child.data.params["alpha"], child.info.status] for child in children] + sorted(parents)


def of_models(client, own):
    """Log a model with params, tags and metrics, and find it."""
    with mlflow.start_run(run_name="modeled") as run:
        made = mlflow.sklearn.log_model(
            Ridge().fit([[1.0]], [1.0]), name="measured", params={"alpha": 1.0}, tags={"stage": "new"}
        )
        mlflow.log_metric("acc", 0.9, step=3, model_id=made.model_id)
    model = client.get_logged_model(made.model_id)
    known = [
        model.name,
        str(model.status),
        model.params,
        model.tags.get("stage"),
        model.source_run_id == run.info.run_id,
    ]
    measured = [[metric.key, metric.value, metric.step] for metric in model.metrics]
    outputs = [
        [each.model_id == made.model_id, each.step] for each in client.get_run(run.info.run_id).outputs.model_outputs
    ]
    client.set_logged_model_tags(made.model_id, {"stage": "old"})
    client.delete_logged_model_tag(made.model_id, "stage")
    found = {text: sorted(each.name for each in client.search_logged_models([own], text)) for text in OF_MODELS}
    return [known, measured, outputs, client.get_logged_model(made.model_id).tags.get("stage"), found]


def main() -> None:
    """Do it all once."""
    client, folder = MlflowClient(), pathlib.Path(sys.argv[1])
    answers = {}
    experiment = mlflow.set_experiment("compat")
    own = experiment.experiment_id
    answers["again"] = mlflow.set_experiment("compat").experiment_id == own
    client.set_experiment_tag(own, "k", "v")
    answers["experiment"] = [client.get_experiment(own).name, client.get_experiment(own).tags]
    answers["absent"] = client.get_experiment_by_name("no such") is None

    run_id = first_run(client, folder)
    answers["run"] = document(client, run_id)
    answers["files"] = files(client, run_id)
    copy = pathlib.Path(mlflow.artifacts.download_artifacts(run_id=run_id))
    answers["copy"] = sorted([str(p.relative_to(copy)), p.stat().st_size] for p in copy.rglob("*") if p.is_file())

    with mlflow.start_run(run_name="second", log_system_metrics=False) as second:
        client.log_batch(
            second.info.run_id,
            metrics=[Metric("many", value, 1_700_000_000_000 + value, value) for value in range(1000)],
            params=[Param("lr", "0.2"), Param("opt", "Adam")],
            tags=[RunTag("team", "blue")],
        )
        answers["param"] = refused(lambda: client.log_param(second.info.run_id, "lr", "3"))
    answers["many"] = [len(client.get_metric_history(second.info.run_id, "many")), second.info.run_name]
    with mlflow.start_run(run_id=second.info.run_id):
        mlflow.log_metric("m", 3)
        answers["resumed"] = client.get_run(second.info.run_id).info.status
    client.set_terminated(second.info.run_id, "FAILED")
    answers["failed"] = client.get_run(second.info.run_id).info.status

    def names(**query):
        return [run.info.run_name for run in client.search_runs([own], **query)]

    answers["filters"] = {text: sorted(names(filter_string=text)) for text in FILTERS}
    answers["orders"] = {str(order): names(order_by=order) for order in ORDERS}
    answers["refusals"] = [refused(lambda text=text: names(filter_string=text)) for text in BAD]
    page = client.search_runs([own], max_results=2)
    following = client.search_runs([own], max_results=2, page_token=page.token)
    answers["pages"] = [run.info.run_name for run in [*page, *following]]
    client.delete_run(second.info.run_id)
    answers["deleted"] = [names(), refused(lambda: client.set_tag(second.info.run_id, "a", "1"))]
    client.restore_run(second.info.run_id)

    mlflow.autolog(silent=True)
    with mlflow.start_run(run_name="auto") as auto:
        Ridge().fit([[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0])
    answers["auto"] = document(client, auto.info.run_id)
    answers["auto_files"] = [path for path, _ in files(client, auto.info.run_id)]
    model = mlflow.sklearn.load_model(f"runs:/{auto.info.run_id}/model")
    answers["model"] = round(float(model.predict([[2.0]])[0]), 6)
    answers["models"] = [
        [found.name, str(found.status), found.source_run_id == auto.info.run_id]
        for found in mlflow.search_logged_models(experiment_ids=[own], output_format="list")
    ]
    answers["tuning"] = of_tuning(client, own)
    mlflow.autolog(disable=True, silent=True)
    answers["of_models"] = of_models(client, own)
    answers["experiments"] = of_experiments(client)
    answers["machine"] = of_the_machine(client)
    answers["large"] = of_large_files(client, folder)
    print(json.dumps({"run_id": run_id, "answers": answers}, default=str))  # noqa: T201


if __name__ == "__main__":
    os.environ |= {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "true",
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "true",
        "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": str(6 * 2**20),
        "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE": str(5 * 2**20),
        "MLFLOW_MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE": str(6 * 2**20),
    }
    main()
