"""Entries cannot be changed or deleted, by anybody: corrections are new entries."""

from django.db import migrations

CREATE = """
CREATE FUNCTION credits_entry_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger entries cannot be changed or deleted; post a correcting entry'
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER credits_entry_immutable BEFORE UPDATE OR DELETE ON credits_entry
    FOR EACH ROW EXECUTE FUNCTION credits_entry_is_immutable();
"""

DROP = """
DROP TRIGGER credits_entry_immutable ON credits_entry;
DROP FUNCTION credits_entry_is_immutable();
"""


class Migration(migrations.Migration):
    dependencies = [("credits", "0001_initial")]
    operations = [migrations.RunSQL(CREATE, DROP)]
