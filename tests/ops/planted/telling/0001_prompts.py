from django.db import migrations


class Migration(migrations.Migration):
    changes = ["workflows_workflow.prompt"]
    dependencies = [("workflows", "0001_initial")]
    operations = [migrations.RunSQL("UPDATE workflows_workflow SET prompt = upper(prompt)", migrations.RunSQL.noop)]
