from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("workflows", "0001_initial")]
    operations = [migrations.RunSQL("ALTER TABLE workflows_workflow ADD COLUMN planted text")]
