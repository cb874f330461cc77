"""Fill what 0025 added, and keep an experiment's runs in the order of any tag, property and param of theirs."""

import django.db.models.deletion
from django.db import migrations, models

import runs.models.experiment_of_run
import runs.models.tag

_TABLES = {"tag": "runs_tag", "property": "runs_property", "param": "runs_param"}


def _in_order(model_name, name, *columns, **more):
    index = models.Index(
        *(models.F(column) for column in columns),
        runs.models.tag.ValueHead("value"),
        models.F("run").desc(),
        name=name,
        **more,
    )
    return migrations.AddIndex(model_name=model_name, index=index)


class Migration(migrations.Migration):
    """Each step may be done twice: PostgreSQL alters no table in the transaction that filled it."""

    atomic = False

    dependencies = [
        ("runs", "0025_add_experiments_to_what_hangs_on_runs"),
    ]

    operations = [
        *(
            migrations.RunSQL(
                f"UPDATE {table} SET experiment_id ="
                f" (SELECT experiment_id FROM runs_run WHERE runs_run.id = {table}.run_id)"
                " WHERE experiment_id IS NULL",
                migrations.RunSQL.noop,
            )
            for table in _TABLES.values()
        ),
        migrations.RemoveIndex(model_name="param", name="param_by_number"),
        *(
            migrations.AlterField(
                model_name=model,
                name="experiment",
                field=runs.models.experiment_of_run.ExperimentOfRun(
                    db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="runs.experiment"
                ),
            )
            for model in _TABLES
        ),
        migrations.AddIndex(
            model_name="param", index=models.Index(fields=["name", "number", "-run"], name="param_in_order")
        ),
        migrations.AddIndex(
            model_name="param",
            index=models.Index(fields=["experiment", "name", "number", "-run"], name="param_of_experiment"),
        ),
        _in_order("param", "param_text_in_order", "name", condition=models.Q(number__isnull=True)),
        _in_order(
            "param", "param_text_of_experiment", "experiment", "name", condition=models.Q(number__isnull=True)
        ),
        _in_order("property", "property_of_experiment", "experiment", "key"),
        _in_order("tag", "tag_of_experiment", "experiment", "key"),
    ]
