"""The counts of requests. Unlogged, so that counting never waits for the disk."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("vidgenie", "0002_cache_table")]

    operations = [
        migrations.CreateModel(
            name="RequestCount",
            fields=[
                ("caller", models.CharField(max_length=80, primary_key=True, serialize=False)),
                ("since", models.BigIntegerField(help_text="seconds since 1970: when the window began")),
                ("count", models.IntegerField()),
            ],
        ),
        migrations.RunSQL(
            "ALTER TABLE vidgenie_requestcount SET UNLOGGED",
            "ALTER TABLE vidgenie_requestcount SET LOGGED",
        ),
    ]
