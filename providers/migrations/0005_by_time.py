"""So that counting what was written lately reads no more than that. BRIN: a few pages, and nothing to keep sorted."""

import django.contrib.postgres.indexes
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("providers", "0004_reference")]

    operations = [
        migrations.AddIndex(
            model_name="providercall",
            index=django.contrib.postgres.indexes.BrinIndex(
                autosummarize=True, fields=["at"], name="providercall_by_time", pages_per_range=32
            ),
        ),
    ]
