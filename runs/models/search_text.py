"""What the bare words of a search are looked for in. Written by `search.index` alone."""

from django.db import models

from runs.models.run import Run


class SearchText(models.Model):
    """All texts of one run in one column, folded to lower case.

    A trigram index over it (a GIN index on PostgreSQL; on SQLite the table
    `runs_searchtext_fts`, kept by triggers) is made by its migration.
    """

    run = models.OneToOneField(Run, models.CASCADE, primary_key=True, related_name="search_text")
    text = models.TextField()

    def __str__(self) -> str:
        return self.text[:50]
