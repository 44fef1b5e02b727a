"""TRUNCATE fires no trigger of rows: without this one, it would empty the books that cannot be changed.

A session says `SET vidgenie.allow_truncate = 'on'` where emptying is meant, as the tests' sessions do.
"""

from django.db import migrations

CREATE = """
CREATE FUNCTION credits_entry_is_not_emptied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('vidgenie.allow_truncate', true), '') <> 'on' THEN
        RAISE EXCEPTION 'ledger entries cannot be emptied away' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER credits_entry_not_emptied BEFORE TRUNCATE ON credits_entry
    FOR EACH STATEMENT EXECUTE FUNCTION credits_entry_is_not_emptied();
"""

DROP = """
DROP TRIGGER credits_entry_not_emptied ON credits_entry;
DROP FUNCTION credits_entry_is_not_emptied();
"""


class Migration(migrations.Migration):
    dependencies = [("credits", "0003_audit")]
    operations = [migrations.RunSQL(CREATE, DROP)]
