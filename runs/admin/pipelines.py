"""Published pipelines, schedules and their ticks in the console."""

from django.contrib import admin

from runs.admin.base import ReadOnlyAdmin
from runs.models import PipelineRun, PublishedPipeline, Schedule, ScheduleTick, StepRun


@admin.register(PublishedPipeline)
class PublishedPipelineAdmin(ReadOnlyAdmin):
    """Versions of published pipelines. They are enabled and disabled on their pages and with `studio pipeline`."""

    list_display = ("name", "version", "label", "workspace", "is_enabled", "published_by", "published_at")
    list_filter = ("is_enabled", "workspace")
    list_select_related = ("workspace", "published_by")
    search_fields = ("name", "=pipeline_id")


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyAdmin):
    """What is run by itself, and when next."""

    list_display = ("name", "pipeline", "workspace", "cron", "recurrence", "time_zone", "is_paused", "next_at")
    list_filter = ("is_paused", "workspace")
    list_select_related = ("workspace", "pipeline")
    search_fields = ("name", "=schedule_id")


@admin.register(ScheduleTick)
class ScheduleTickAdmin(ReadOnlyAdmin):
    """The times that came, and what became of them."""

    list_display = ("schedule", "at", "outcome", "run", "reason")
    list_filter = ("outcome",)
    list_select_related = ("schedule", "run")
    search_fields = ("=schedule__schedule_id", "=run__run_id")


@admin.register(PipelineRun)
class PipelineRunAdmin(ReadOnlyAdmin):
    """What was submitted with each run of a pipeline."""

    list_display = ("run", "default_compute_target", "continue_on_step_failure", "regenerate_outputs", "resumed_from")
    list_select_related = ("run", "resumed_from")
    search_fields = ("=run__run_id",)


@admin.register(StepRun)
class StepRunAdmin(ReadOnlyAdmin):
    """Which step of which pipeline run each step's run is."""

    list_display = ("run", "name", "index", "pipeline_run", "reused_from")
    list_select_related = ("run", "pipeline_run__run", "reused_from")
    search_fields = ("=run__run_id",)
