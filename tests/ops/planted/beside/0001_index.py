from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("workflows", "0001_initial")]
    operations = [
        migrations.RunSQL(
            "CREATE INDEX CONCURRENTLY planted_index ON workflows_workflow (prompt)", "DROP INDEX planted_index"
        ),
    ]
