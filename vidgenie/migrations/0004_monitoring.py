"""What monitoring keeps. The memory of processes is unlogged: nothing waits for the disk, and a crash may forget it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("vidgenie", "0003_requestcount")]

    operations = [
        migrations.CreateModel(
            name="Tally",
            fields=[
                ("source", models.CharField(max_length=20, primary_key=True, serialize=False)),
                ("until", models.DateTimeField(help_text="lines from here on are not in the sums")),
                ("numbers", models.JSONField(default=dict, help_text="by labels, as a JSON list")),
            ],
        ),
        migrations.CreateModel(
            name="ProcessMemory",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("part", models.CharField(help_text="web, clock, queue or renderer", max_length=10)),
                ("host", models.CharField(max_length=80)),
                ("pid", models.PositiveIntegerField()),
                ("resident", models.BigIntegerField(help_text="bytes")),
                ("at", models.DateTimeField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("host", "pid"), name="processmemory_one_per_process")],
            },
        ),
        migrations.RunSQL(
            "ALTER TABLE vidgenie_processmemory SET UNLOGGED",
            "ALTER TABLE vidgenie_processmemory SET LOGGED",
        ),
    ]
