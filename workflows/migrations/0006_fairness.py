"""Lines of keys have turns of their own, and what a user has in flight is counted without reading their history."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0005_whose_attempt"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="attempt",
            name="attempt_waiting_of_user",
        ),
        migrations.AddField(
            model_name="attempt",
            name="key_turn",
            field=models.PositiveBigIntegerField(
                blank=True, help_text="turn in the line of its key; empty while it stands in none", null=True
            ),
        ),
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(
                condition=models.Q(("fence", 0), ("phase", "submit")), fields=["turn"], name="attempt_unseen"
            ),
        ),
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(
                condition=models.Q(("fence", 0), ("phase", "submit")),
                fields=["user", "turn"],
                name="attempt_unseen_of_user",
            ),
        ),
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(
                condition=models.Q(("key_turn__isnull", False), ("phase", "submit")),
                fields=["key_turn"],
                name="attempt_in_line",
            ),
        ),
        migrations.AddIndex(
            model_name="transition",
            index=models.Index(
                condition=models.Q(("new", "pending"), ("stage", "")), fields=["at"], name="transition_tried_again"
            ),
        ),
        migrations.AddIndex(
            model_name="workflow",
            index=models.Index(
                condition=models.Q(("finished__isnull", True)), fields=["user"], name="workflow_in_flight"
            ),
        ),
    ]
