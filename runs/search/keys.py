"""The keys of tags, properties, params and metrics of each workspace, kept as they come: to complete, not to search."""

from collections.abc import Iterable, Mapping

from django.db import transaction
from django.db.models import Model, Q

from runs.models import KeyKind, Metric, Param, Property, SearchKey, Tag, Workspace

_HELD: dict[KeyKind, tuple[type[Model], str]] = {
    KeyKind.TAG: (Tag, "key"),
    KeyKind.PROPERTY: (Property, "key"),
    KeyKind.PARAM: (Param, "name"),
    KeyKind.METRIC: (Metric, "name"),
}


def keep(workspace_id: int, keys: Mapping[KeyKind, Iterable[str]]) -> None:
    """Remember that runs of the workspace have `keys`: nearly always one read. In the transaction that wrote them."""
    wanted = {(kind.value, key) for kind, some in keys.items() for key in some}
    if not wanted:
        return
    test = Q(pk__in=[])
    for kind, some in keys.items():
        test |= Q(kind=kind, key__in=list(some))
    known = set(SearchKey.objects.filter(test, workspace_id=workspace_id).values_list("kind", "key"))
    # Always in the same order, so that two writers cannot wait for each other.
    SearchKey.objects.bulk_create(
        (SearchKey(workspace_id=workspace_id, kind=kind, key=key) for kind, key in sorted(wanted - known)),
        ignore_conflicts=True,
    )


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
