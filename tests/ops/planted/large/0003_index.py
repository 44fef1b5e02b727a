from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("planted", "0002_filled")]
    operations = [
        migrations.RunSQL(
            "CREATE INDEX CONCURRENTLY planted_index ON credits_entry (planted, created)",
            "DROP INDEX CONCURRENTLY planted_index",
        ),
    ]
