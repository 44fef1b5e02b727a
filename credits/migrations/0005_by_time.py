"""So that counting what was written lately reads no more than that. BRIN: a few pages, and nothing to keep sorted."""

import django.contrib.postgres.indexes
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("credits", "0004_entries_cannot_be_emptied")]

    operations = [
        migrations.AddIndex(
            model_name="entry",
            index=django.contrib.postgres.indexes.BrinIndex(
                autosummarize=True, fields=["created"], name="entry_by_time", pages_per_range=32
            ),
        ),
    ]
