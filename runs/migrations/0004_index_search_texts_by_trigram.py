"""Index the texts that a search looks in by each three letters in a row.

The index holds which texts have a trigram, not where (`detail=none`): it stays small, and
whoever reads it tests the texts themselves. `case_sensitive` since the texts are folded.
"""

from django.core.management.base import CommandError
from django.db import InternalError, ProgrammingError, migrations, transaction

_SQLITE = [
    """
    CREATE VIRTUAL TABLE runs_searchtext_fts USING fts5(
        text, content='runs_searchtext', content_rowid='run_id', tokenize='trigram case_sensitive 1',
        detail='none', columnsize=0
    )
    """,
    """
    CREATE TRIGGER runs_searchtext_inserted AFTER INSERT ON runs_searchtext BEGIN
        INSERT INTO runs_searchtext_fts (rowid, text) VALUES (new.run_id, new.text);
    END
    """,
    """
    CREATE TRIGGER runs_searchtext_deleted AFTER DELETE ON runs_searchtext BEGIN
        INSERT INTO runs_searchtext_fts (runs_searchtext_fts, rowid, text) VALUES ('delete', old.run_id, old.text);
    END
    """,
    """
    CREATE TRIGGER runs_searchtext_updated AFTER UPDATE ON runs_searchtext WHEN old.text <> new.text BEGIN
        INSERT INTO runs_searchtext_fts (runs_searchtext_fts, rowid, text) VALUES ('delete', old.run_id, old.text);
        INSERT INTO runs_searchtext_fts (rowid, text) VALUES (new.run_id, new.text);
    END
    """,
    "INSERT INTO runs_searchtext_fts (runs_searchtext_fts) VALUES ('rebuild')",
]


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        for statement in _SQLITE:
            schema_editor.execute(statement)
        return
    try:
        with transaction.atomic(using=schema_editor.connection.alias):
            schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except (ProgrammingError, InternalError, NotImplementedError) as error:
        raise CommandError(
            "PostgreSQL refused the extension pg_trgm, which the search needs. Let an administrator run "
            f"CREATE EXTENSION pg_trgm in this database, then start again. It said: {error}"
        ) from error
    schema_editor.execute("CREATE INDEX search_text_trigrams ON runs_searchtext USING gin (text gin_trgm_ops)")


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        for name in ("inserted", "deleted", "updated"):
            schema_editor.execute(f"DROP TRIGGER runs_searchtext_{name}")
        schema_editor.execute("DROP TABLE runs_searchtext_fts")
        return
    # The extension stays: others may use it by now.
    schema_editor.execute("DROP INDEX search_text_trigrams")


class Migration(migrations.Migration):
    dependencies = [("runs", "0003_keep_what_search_reads")]

    operations = [migrations.RunPython(create, drop)]
