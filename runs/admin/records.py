"""What runs leave behind, in the console: shown, never edited."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from runs.admin.base import OfRunAdmin, ReadOnlyAdmin
from runs.models import (
    Artifact,
    Attempt,
    DatasetUse,
    DraftRun,
    Favorite,
    LoggedModelUse,
    Metric,
    MetricBatch,
    MetricBucket,
    MetricPoint,
    Param,
    Property,
    Run,
    RunEvent,
    SearchText,
    Tag,
)


@admin.register(RunEvent)
class RunEventAdmin(OfRunAdmin):
    """The history of runs."""

    list_display = ("run", "from_status", "to_status", "at", "by", "actor", "reason")
    list_select_related = ("run", "by")


@admin.register(Attempt)
class AttemptAdmin(OfRunAdmin):
    """Who tried to execute which run, and how it went."""

    list_display = ("run", "number", "compute_target", "host", "claimed_at", "ended_at", "exit_code", "reason")
    list_filter = (("ended_at", admin.EmptyFieldListFilter), "compute_target")
    list_select_related = ("run", "compute_target")
    # With it a script's processes could be told that they belong to another run.
    exclude = ("cookie",)


@admin.register(Tag, Property)
class PairAdmin(OfRunAdmin):
    """Tags and properties. Tags are changed on the run's page, which also keeps the search up to date."""

    list_display = ("run", "key", "value")


@admin.register(Param)
class ParamAdmin(OfRunAdmin):
    """Input values."""

    list_display = ("run", "name", "value")


@admin.register(Metric)
class MetricAdmin(OfRunAdmin):
    """Series and their summaries."""

    list_display = ("run", "name", "kind", "point_count", "latest_value", "min_value", "max_value")


class OfMetricAdmin(ReadOnlyAdmin):
    """Rows that hang on series. The search takes a whole run id."""

    list_select_related = ("metric",)
    search_fields = ("metric__run__run_id",)
    search_help_text = _("A whole run id")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return the rows of the run with that id."""
        if not search_term.strip():
            return queryset, False
        run = Run.objects.filter(run_id=search_term.strip())
        return queryset.filter(metric__in=list(Metric.objects.filter(run__in=run).values_list("pk", flat=True))), False


@admin.register(MetricPoint)
class MetricPointAdmin(OfMetricAdmin):
    """Points, in the order of arrival."""

    list_display = ("metric", "step", "at", "value", "text")


@admin.register(MetricBucket)
class MetricBucketAdmin(OfMetricAdmin):
    """The pyramids of long series, from which charts are drawn."""

    list_display = ("metric", "level", "number", "count", "min_value", "max_value", "last_value", "odd_count")


@admin.register(MetricBatch)
class MetricBatchAdmin(OfRunAdmin):
    """Which batches of points were stored already."""

    list_display = ("run", "batch_id", "at")


@admin.register(Artifact)
class ArtifactAdmin(OfRunAdmin):
    """Stored files."""

    list_display = ("run", "path", "size_bytes", "created_at")


@admin.register(SearchText)
class SearchTextAdmin(OfRunAdmin):
    """What bare words of the search bar are looked up in; made from the run's other rows."""

    list_display = ("run",)


@admin.register(Favorite)
class FavoriteAdmin(OfRunAdmin):
    """Which runs people have starred."""

    list_display = ("user", "run")
    list_select_related = ("user", "run")


@admin.register(DraftRun)
class DraftRunAdmin(OfRunAdmin):
    """Which pipeline runs were started from which draft."""

    list_display = ("run", "draft")
    list_select_related = ("run", "draft")


@admin.register(DatasetUse)
class DatasetUseAdmin(OfRunAdmin):
    """Which runs used which datasets."""

    list_display = ("run", "dataset", "context")
    list_select_related = ("run", "dataset")


@admin.register(LoggedModelUse)
class LoggedModelUseAdmin(OfRunAdmin):
    """Which runs read or made which logged models."""

    list_display = ("run", "model", "is_output", "step")
    list_select_related = ("run", "model")
