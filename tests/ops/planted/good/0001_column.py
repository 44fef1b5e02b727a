from django.db import migrations

ADD = "ALTER TABLE workflows_workflow ADD COLUMN planted text"
INDEX = "CREATE INDEX planted_index ON workflows_workflow (planted)"


class Migration(migrations.Migration):
    dependencies = [("workflows", "0001_initial")]
    operations = [
        migrations.RunSQL(ADD, "ALTER TABLE workflows_workflow DROP COLUMN planted"),
        migrations.RunSQL(INDEX, migrations.RunSQL.noop),
    ]
