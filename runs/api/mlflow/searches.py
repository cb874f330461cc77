"""The searches of experiments and of logged models."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from runs.api.mlflow import errors, logged_models, page_tokens, shapes
from runs.api.mlflow.calls import Call
from runs.api.mlflow.fields import Fields, instant
from runs.models import Experiment, LoggedModel, LoggedModelMetric
from runs.search import QuerySyntaxError, mlflow
from runs.search.mlflow import Comparison

Answer = dict[str, Any]

_EXPERIMENTS, _EXPERIMENTS_AT_MOST = 1000, 50_000
_MODELS, _MODELS_AT_MOST = 100, 1000
_TIMES = ("creation_time", "last_update_time", "creation_timestamp", "last_updated_timestamp")
_LOOKUPS = {"=": "exact", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte", "LIKE": "sql_like", "ILIKE": "sql_ilike"}
_OF_EXPERIMENTS = {
    "name": "name",
    "experiment_id": "pk",
    "creation_time": "created_at",
    "last_update_time": "latest_submitted_at",
}
_OF_MODELS = {
    **{name: name for name in ("name", "model_id", "model_type", "status")},
    "source_run_id": "run__run_id",
    "creation_timestamp": "created_at",
    "creation_time": "created_at",
    "last_updated_timestamp": "updated_at",
}


def search_experiments(call: Call) -> Answer:
    """Find experiments, the latest first."""
    fields = call.fields
    limit = fields.limit(default=_EXPERIMENTS, most=_EXPERIMENTS_AT_MOST)
    view = fields.text("view_type") or "ACTIVE_ONLY"
    found: QuerySet[Any] = Experiment.objects.filter(workspace=call.workspace)
    if call.caller.own_run is not None:
        found = found.filter(pk=call.caller.own_run.experiment_id)
    if view == "ACTIVE_ONLY":
        found = found.filter(archived_at__isnull=True)
    elif view == "DELETED_ONLY":
        found = found.filter(archived_at__isnull=False)
    elif view != "ALL":
        raise errors.wrong("view_type", view, "Expected one of ACTIVE_ONLY, DELETED_ONLY, ALL.")
    found = _filtered(found, fields.text("filter"), _OF_EXPERIMENTS)
    found = found.order_by(*_experiment_orders(fields.texts("order_by")))

    rows, following = _page(found, fields.text("page_token"), limit)
    answer: Answer = {"experiments": [shapes.experiment_document(row) for row in rows]} if rows else {}
    return answer | following


def search_logged_models(call: Call) -> Answer:
    """Find logged models of some experiments, the latest first."""
    fields = call.fields
    limit = fields.limit(default=_MODELS, most=_MODELS_AT_MOST)
    ids = fields.texts("experiment_ids")
    if not ids:
        raise errors.missing("experiment_ids")
    experiments = [call.experiment(one) for one in ids]
    found: QuerySet[Any] = LoggedModel.objects.present().filter(experiment__in=experiments)
    if call.caller.own_run is not None:
        found = found.filter(run__in=call.runs())
    for item in fields.items("datasets"):
        dataset = {"dataset_name": item.text("dataset_name", required=True)}
        if digest := item.text("dataset_digest"):
            dataset["dataset_digest"] = digest
        found = found.filter(Exists(LoggedModelMetric.objects.filter(model=OuterRef("pk"), **dataset)))
    found = _filtered(found, fields.text("filter"), _OF_MODELS)
    found = _ordered_models(found, fields.items("order_by"))

    rows, following = _page(found.select_related("experiment", "run"), fields.text("page_token"), limit)
    answer: Answer = {"models": logged_models.documents(rows)} if rows else {}
    return answer | following


def _page(found: QuerySet[Any], token: str, limit: int) -> tuple[list[Any], Answer]:
    """Return one page of what are some thousands at most, and the token of the next one, if any."""
    of = [found.model.__name__]
    offset = page_tokens.read(token, of=of) or 0
    rows = list(found[offset : offset + limit + 1])
    return rows[:limit], {"next_page_token": page_tokens.write(offset + limit, of=of)} if len(rows) > limit else {}


def _filtered(found: QuerySet[Any], text: str, columns: Mapping[str, str]) -> QuerySet[Any]:
    try:
        comparisons = mlflow.comparisons(text)
    except QuerySyntaxError as error:
        raise errors.invalid(error.message) from None
    for number, comparison in enumerate(comparisons):
        match comparison.entity:
            case "attribute" if comparison.key in columns:
                found = found.filter(_test(columns[comparison.key], comparison))
            case "tag":
                name = f"tag{number}"
                found = found.alias(**{name: _text_of("tags", comparison.key)}).filter(_test(name, comparison))
            case "parameter" if columns is _OF_MODELS:
                name = f"param{number}"
                found = found.alias(**{name: _text_of("params", comparison.key)})
                found = found.filter(_test(name, comparison))
            case "metric" if columns is _OF_MODELS:
                measured = LoggedModelMetric.objects.filter(
                    _test("value", comparison), model=OuterRef("pk"), name=comparison.key
                )
                found = found.filter(Exists(measured))
            case _:
                raise errors.invalid(
                    f"Invalid attribute key '{comparison.key}' specified. Valid keys are '{sorted(columns)}'"
                )
    return found


def _text_of(column: str, key: str) -> Cast:
    """Return the value of a key of a JSON column, as a text to compare."""
    return Cast(KeyTextTransform(key, column), TextField())


def _test(column: str, comparison: Comparison) -> Q:
    """Return the test of one comparison. What has no value meets none, but IS NULL."""
    values = [_value(comparison, value) for value in comparison.values]
    match comparison.operator:
        case "IS NULL":
            return Q(**{f"{column}__isnull": True})
        case "IS NOT NULL":
            return Q(**{f"{column}__isnull": False})
        case "IN":
            return Q(**{f"{column}__in": values})
        case "NOT IN":
            return Q(**{f"{column}__isnull": False}) & ~Q(**{f"{column}__in": values})
        case "!=":
            return Q(**{f"{column}__isnull": False}) & ~Q(**{column: values[0]})
        case operator:
            return Q(**{f"{column}__{_LOOKUPS[operator]}": values[0]})


def _value(comparison: Comparison, text: str) -> Any:
    """Return a value as the column has it."""
    is_text = comparison.entity in ("tag", "parameter")
    if is_text and comparison.is_number:
        raise errors.invalid(f"Expected a quoted string value for {comparison.entity} '{comparison.key}'")
    if comparison.key in _TIMES and not is_text:
        return _number(text, lambda: instant(int(float(text)), comparison.key), comparison.key)
    if comparison.entity == "metric":
        return _number(text, lambda: float(text), comparison.key)
    if comparison.key == "experiment_id" and not is_text:
        return _number(text, lambda: int(text), comparison.key)
    if comparison.key == "status":
        return logged_models.status_of(text)
    return text


def _number(text: str, read: Callable[[], Any], key: str) -> Any:
    try:
        return read()
    except (ValueError, OverflowError):
        raise errors.wrong(key, text) from None


def _experiment_orders(texts: list[str]) -> list[Any]:
    keys = []
    for text in texts:
        try:
            order = mlflow.parse_order(text)
        except QuerySyntaxError as error:
            raise errors.invalid(error.message) from None
        if order.entity != "attribute" or order.key not in _OF_EXPERIMENTS:
            raise errors.invalid(
                f"Invalid order by key '{order.key}' specified. Valid keys are '{sorted(_OF_EXPERIMENTS)}'"
            )
        column = _OF_EXPERIMENTS[order.key]
        keys.append(f"-{column}" if order.is_falling else column)
    return [*(keys or ["-created_at"]), "pk"]


def _ordered_models(found: QuerySet[Any], orders: list[Fields]) -> QuerySet[Any]:
    keys: list[Any] = []
    for number, item in enumerate(orders):
        text, is_rising = item.text("field_name", required=True), item.flag("ascending", default=True)
        entity, _, key = text.partition(".")
        if entity in ("metrics", "metric") and key:
            measured = LoggedModelMetric.objects.filter(model=OuterRef("pk"), name=key)
            for name in ("dataset_name", "dataset_digest"):
                if value := item.text(name):
                    measured = measured.filter(**{name: value})
            found = found.alias(**{f"order{number}": Subquery(measured.order_by("-step", "-at").values("value")[:1])})
            column = F(f"order{number}")
        elif text in _OF_MODELS:
            column = F(_OF_MODELS[text])
        else:
            raise errors.invalid(f"Invalid order by field name: {text[:200]}")
        keys.append(column.asc(nulls_last=True) if is_rising else column.desc(nulls_last=True))
    return found.order_by(*keys, "-created_at", "-id")
