"""Keep an experiment's runs in MLflow's order of any tag and param of theirs."""

from django.db import migrations, models

import runs.models.tag


def _in_order(model_name, name, key):
    columns = (models.F("experiment"), models.F(key), runs.models.tag.ValueStart("value"))
    return migrations.AddIndex(model_name=model_name, index=models.Index(*columns, name=name))


class Migration(migrations.Migration):
    dependencies = [
        ("runs", "0028_keep_preferences"),
    ]

    operations = [
        _in_order("tag", "tag_as_written", "key"),
        _in_order("param", "param_as_written", "name"),
    ]
