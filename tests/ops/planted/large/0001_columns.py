from django.db import migrations

COLUMNS = """
ALTER TABLE workflows_workflow ADD COLUMN planted text;
ALTER TABLE workflows_workflow ADD CONSTRAINT planted_short CHECK (length(planted) < 9999) NOT VALID;
ALTER TABLE credits_entry ADD COLUMN planted integer NOT NULL DEFAULT 7;
"""
BACK = """
ALTER TABLE credits_entry DROP COLUMN planted;
ALTER TABLE workflows_workflow DROP COLUMN planted;
"""


class Migration(migrations.Migration):
    dependencies = [("workflows", "0001_initial"), ("credits", "0001_initial")]
    operations = [migrations.RunSQL(COLUMNS, BACK)]
