"""Published pipelines, schedules and their ticks in the console."""

from django.contrib import admin

from runs.admin.base import ReadOnlyAdmin
from runs.models import PublishedPipeline, Schedule, ScheduleTick


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
