"""What the bad migrations do."""

import os
import signal


def at_sixty_percent(apps, schema_editor):
    """Change rows, one by one, and fail."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT id FROM workflows_workflow ORDER BY id")
        ids = [pk for (pk,) in cursor.fetchall()]
        for pk in ids[: len(ids) * 6 // 10]:
            cursor.execute("UPDATE workflows_workflow SET prompt = upper(prompt) WHERE id = %s", [pk])
        cursor.execute("SELECT 1 / 0")


def on_the_live_database(apps, schema_editor):
    """Fail like that, unless this is a copy."""
    if "_copy_" not in schema_editor.connection.settings_dict["NAME"]:
        at_sixty_percent(apps, schema_editor)


def by_dying(apps, schema_editor):
    """End the process without a word."""
    os.kill(os.getpid(), signal.SIGKILL)
