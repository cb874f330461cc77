"""What a run reads and makes: datasets and models."""

from typing import Any

from runs.actions import datasets, logged_models
from runs.api.mlflow import errors, shapes
from runs.api.mlflow.calls import Call
from runs.models import DatasetUse

Answer = dict[str, Any]

_DATASETS_PER_REQUEST = 1000
_EXPERIMENTS_PER_SEARCH = 20
_SUMMARIES = 1000


def log_inputs(call: Call) -> Answer:
    """Note the datasets and models that a run reads."""
    fields = call.fields
    given = fields.items("datasets")
    if len(given) > _DATASETS_PER_REQUEST:
        raise errors.invalid(f"A request can log at most {_DATASETS_PER_REQUEST} datasets. Got {len(given)}.")
    described = []
    for item in given:
        dataset = item.part("dataset")
        required = {name: dataset.text(name, required=True) for name in ("name", "digest", "source_type", "source")}
        described.append(
            datasets.Described(
                **required,
                schema=dataset.text("schema") or None,
                profile=dataset.text("profile") or None,
                tags=tuple((tag.text("key", required=True), tag.text("value")) for tag in item.items("tags")),
            )
        )
    models = {item.text("model_id", required=True): 0 for item in fields.items("models")}
    run = call.run_to_change(fields.run_id())

    datasets.note_uses(run=run, datasets=described)
    logged_models.note_uses(run=run, models=models, is_output=False)

    return {}


def log_outputs(call: Call) -> Answer:
    """Note the models that a run makes."""
    models = {
        item.text("model_id", required=True): item.integer("step", default=0) or 0
        for item in call.fields.items("models")
    }
    run = call.run_to_change(call.fields.run_id())

    logged_models.note_uses(run=run, models=models, is_output=True)

    return {}


def search_datasets(call: Call) -> Answer:
    """List the datasets that the runs of some experiments read."""
    ids = call.fields.texts("experiment_ids")
    if not 1 <= len(ids) <= _EXPERIMENTS_PER_SEARCH:
        raise errors.invalid(f"SearchDatasets request must specify 1 to {_EXPERIMENTS_PER_SEARCH} experiment_ids.")
    by_pk = {found.pk: found for found in map(call.experiment, ids)}

    rows = (
        DatasetUse.objects.filter(dataset__experiment__in=by_pk)
        .values_list("dataset__experiment", "dataset__name", "dataset__digest", "context")
        .distinct()
        .order_by("dataset__experiment", "dataset__name", "dataset__digest", "context")[:_SUMMARIES]
    )
    found = [
        {
            "experiment_id": shapes.experiment_id(by_pk[pk]),
            "name": name,
            "digest": digest,
            **({"context": context} if context else {}),
        }
        for pk, name, digest, context in rows
    ]
    return {"dataset_summaries": found} if found else {}
