"""Every attempt says whose it is, so that users can take turns."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

FILL = """
SET LOCAL statement_timeout = '30min';
UPDATE workflows_attempt SET user_id = workflows_workflow.user_id
FROM workflows_step JOIN workflows_workflow ON workflows_workflow.id = workflows_step.workflow_id
WHERE workflows_step.id = workflows_attempt.step_id AND workflows_attempt.user_id IS NULL;
SET CONSTRAINTS ALL IMMEDIATE;
"""  # a million rows take longer than a page may; and a table with checks still to be made cannot be altered


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("workflows", "0004_claims"),
    ]

    operations = [
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="attempt",
            name="user",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
