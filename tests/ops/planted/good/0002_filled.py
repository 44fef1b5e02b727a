from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("planted", "0001_column")]
    operations = [
        migrations.RunSQL("UPDATE workflows_workflow SET planted = upper(prompt)", migrations.RunSQL.noop),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
    ]
