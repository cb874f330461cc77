"""The keys of tags, properties, params and metrics of each workspace, kept as they come: to complete, not to search."""

from collections.abc import Iterable, Mapping

from django.db import transaction
from django.db.models import F, Model

from runs import rows
from runs.models import KeyKind, Metric, Param, Property, SearchKey, Tag, Workspace
from runs.prepared import AnyOf, Prepared

# Keys of each kind that somebody wrote, in a transaction that keeps them before its end.
Seen = dict[KeyKind, set[str]]

_HELD: dict[KeyKind, tuple[type[Model], str]] = {
    KeyKind.TAG: (Tag, "key"),
    KeyKind.PROPERTY: (Property, "key"),
    KeyKind.PARAM: (Param, "name"),
    KeyKind.METRIC: (Metric, "name"),
}
_known = Prepared(
    lambda workspace, some: SearchKey.objects.filter(AnyOf(F("key"), some), workspace=workspace).values_list(
        "kind", "key"
    )
)


def keep(workspace_id: int, keys: Mapping[KeyKind, Iterable[str]]) -> None:
    """Remember that runs of the workspace have `keys`: nearly always one read. In the transaction that wrote them."""
    wanted = {(kind.value, key) for kind, some in keys.items() for key in some}
    missing = wanted and wanted.difference(_known(workspace_id, sorted({key for _, key in wanted})))
    # Always in the same order, so that two writers cannot wait for each other.
    fresh = [(workspace_id, kind, key) for kind, key in sorted(missing)]
    columns = ("workspace_id", "kind", "key")
    rows.insert(SearchKey, columns, fresh, unique=columns)


def rebuild() -> None:
    """Find all keys anew and forget those that no run has any more."""
    for workspace in Workspace.objects.order_by("pk"):
        with transaction.atomic():
            held = {
                kind: list(
                    model._default_manager.filter(run__workspace=workspace)
                    .order_by()
                    .values_list(column, flat=True)
                    .distinct()
                )
                for kind, (model, column) in _HELD.items()
            }
            SearchKey.objects.filter(workspace=workspace).delete()
            keep(workspace.pk, held)
