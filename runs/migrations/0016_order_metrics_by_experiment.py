"""Fill what 0015 keeps: the experiment of each metric, and the keys that the search bar offers."""

import django.db.models.deletion
from django.db import migrations

import runs.models.metric

_KEYS = [
    ("tags", "runs_tag", "key"),
    ("properties", "runs_property", "key"),
    ("params", "runs_param", "name"),
    ("metrics", "runs_metric", "name"),
]


class Migration(migrations.Migration):
    """Each step may be done twice: PostgreSQL alters no table in the transaction that filled it."""

    atomic = False

    dependencies = [
        ("runs", "0015_keep_trash_keys_and_searches"),
    ]

    operations = [
        migrations.RunSQL(
            "UPDATE runs_metric SET experiment_id ="
            " (SELECT experiment_id FROM runs_run WHERE runs_run.id = runs_metric.run_id)",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL("DELETE FROM runs_searchkey", migrations.RunSQL.noop),
        *(
            migrations.RunSQL(
                "INSERT INTO runs_searchkey (workspace_id, kind, key)"
                f" SELECT DISTINCT run.workspace_id, '{kind}', held.{column}"
                f" FROM {table} held JOIN runs_run run ON run.id = held.run_id",
                migrations.RunSQL.noop,
            )
            for kind, table, column in _KEYS
        ),
        migrations.AlterField(
            model_name="metric",
            name="experiment",
            field=runs.models.metric.ExperimentOfRun(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="runs.experiment"
            ),
        ),
    ]
