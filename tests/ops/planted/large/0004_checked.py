from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("planted", "0003_index")]
    operations = [
        migrations.RunSQL("ALTER TABLE workflows_workflow VALIDATE CONSTRAINT planted_short", migrations.RunSQL.noop),
    ]
