"""What people, clients and workers keep beside the runs, in the console: shown, never edited."""

from django.contrib import admin

from runs.admin.base import ReadOnlyAdmin
from runs.models import (
    Dataset,
    DefaultView,
    GitPatch,
    LoggedModel,
    LoggedModelMetric,
    PipelineDraft,
    PythonEnvironment,
    RetentionRule,
    SavedSearch,
    SearchKey,
    SystemMetrics,
    TableView,
)


@admin.register(GitPatch)
class GitPatchAdmin(ReadOnlyAdmin):
    """Uncommitted changes of submitted folders. What is in them is for who may see the run: the run's page shows it."""

    list_display = ("run",)
    list_select_related = ("run",)
    search_fields = ("run__run_id",)
    fields = ("run",)
    readonly_fields = ("run",)


@admin.register(PipelineDraft)
class PipelineDraftAdmin(ReadOnlyAdmin):
    """Pipelines that are being drawn."""

    list_display = ("name", "workspace", "revision", "updated_at", "updated_by")
    list_select_related = ("workspace", "updated_by")
    search_fields = ("name",)


@admin.register(TableView)
class TableViewAdmin(ReadOnlyAdmin):
    """Saved views of experiments' tables."""

    list_display = ("name", "experiment", "saved_by", "saved_at")
    list_select_related = ("experiment", "saved_by")
    search_fields = ("name",)


@admin.register(DefaultView)
class DefaultViewAdmin(ReadOnlyAdmin):
    """The view in which somebody sees an experiment."""

    list_display = ("user", "experiment", "view")
    list_select_related = ("user", "experiment", "view")
    search_fields = ("user__username",)


@admin.register(SavedSearch)
class SavedSearchAdmin(ReadOnlyAdmin):
    """Searches that people keep."""

    list_display = ("user", "workspace", "name", "query", "used_at")
    list_select_related = ("user", "workspace")
    search_fields = ("user__username",)


@admin.register(SearchKey)
class SearchKeyAdmin(ReadOnlyAdmin):
    """The names that the search bar completes."""

    list_display = ("workspace", "kind", "key")
    list_select_related = ("workspace",)
    search_fields = ("key",)


@admin.register(RetentionRule)
class RetentionRuleAdmin(ReadOnlyAdmin):
    """What goes to the trash by itself; rules are made on the page of the trash."""

    list_display = ("workspace", "query", "after_days", "created_by", "created_at")
    list_select_related = ("workspace", "created_by")
    search_fields = ("query",)


@admin.register(Dataset)
class DatasetAdmin(ReadOnlyAdmin):
    """Data that clients said their runs read."""

    list_display = ("name", "digest", "source_type", "experiment")
    list_select_related = ("experiment",)
    search_fields = ("name",)


@admin.register(LoggedModel)
class LoggedModelAdmin(ReadOnlyAdmin):
    """Models that clients logged."""

    list_display = ("model_id", "name", "model_type", "status", "experiment", "created_at")
    list_select_related = ("experiment",)
    search_fields = ("model_id__exact",)


@admin.register(LoggedModelMetric)
class LoggedModelMetricAdmin(ReadOnlyAdmin):
    """What was measured of logged models."""

    list_display = ("model", "name", "dataset_name", "value", "text", "step", "at")
    list_select_related = ("model",)
    search_fields = ("model__model_id__exact",)


@admin.register(PythonEnvironment)
class PythonEnvironmentAdmin(ReadOnlyAdmin):
    """Python environments in which runs were executed."""

    search_fields = ("digest__exact",)


@admin.register(SystemMetrics)
class SystemMetricsAdmin(ReadOnlyAdmin):
    """What the processes of attempts were busy with."""

    list_display = ("attempt",)
    list_select_related = ("attempt__run",)
    search_fields = ("attempt__run__run_id__exact",)
