from django.db import migrations

STEP = """
WITH next AS (SELECT id FROM workflows_workflow WHERE planted IS NULL LIMIT 1000 FOR UPDATE SKIP LOCKED)
UPDATE workflows_workflow SET planted = upper(prompt) FROM next WHERE next.id = workflows_workflow.id
"""


def fill(apps, schema_editor):
    """A thousand at a time, each its own transaction: what is done is done, whoever dies in between."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(STEP)
        while cursor.rowcount:
            cursor.execute(STEP)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("planted", "0001_columns")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
