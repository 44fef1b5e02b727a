"""Where the database came to be, so that a copy brought back from a backup is known for one."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workflows", "0006_fairness")]

    operations = [
        migrations.AddField(
            model_name="workflow",
            name="doubted",
            field=models.DateTimeField(
                blank=True,
                help_text="restored from a backup while it ran: what it sent since is not known",
                null=True,
            ),
        ),
        migrations.CreateModel(
            name="Origin",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("place", models.CharField(max_length=200)),
                ("noted", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
            options={
                "verbose_name": "origin",
                "verbose_name_plural": "origins",
                "constraints": [models.CheckConstraint(condition=models.Q(("pk", 1)), name="origin_is_one_row")],
            },
        ),
    ]
