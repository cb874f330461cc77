"""A running script that is called a failure is stopped, and ends as Failed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("runs", "0001_create_the_domain"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="fails_when_stopped",
            field=models.BooleanField(default=False),
        ),
    ]
