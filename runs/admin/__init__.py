"""The admin console: a window on every row, and a few handles that call the same actions as the pages."""

from runs.admin import compute, experiments, kept, people, pipelines, records, runs, site

__all__ = ["compute", "experiments", "kept", "people", "pipelines", "records", "runs", "site"]
