"""The admin console: a window on every row, and a few handles that call the same actions as the pages."""

from runs.admin import compute, experiments, people, pipelines, records, runs, site

__all__ = ["compute", "experiments", "people", "pipelines", "records", "runs", "site"]
