"""Tags, properties and params know their experiment, so that indexes have an experiment's in order. Filled by 0026."""

import django.db.models.deletion
from django.db import migrations

import runs.models.experiment_of_run

MODELS = ("tag", "property", "param")


class Migration(migrations.Migration):
    """Nullable at first: the rows that there are have none yet."""

    dependencies = [
        ("runs", "0024_keep_order_of_published_pipelines"),
    ]

    operations = [
        migrations.AddField(
            model_name=model,
            name="experiment",
            field=runs.models.experiment_of_run.ExperimentOfRun(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="runs.experiment",
            ),
        )
        for model in MODELS
    ]
