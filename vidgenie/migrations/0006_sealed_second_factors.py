"""Second factors are sealed. The way back opens them, and needs the encryption keys for that.

Where there is no encryption key they stay as they are; `rotate_encryption_keys` seals them when there is one.
"""

from collections.abc import Callable
from typing import ClassVar

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from providers import crypto
from vidgenie import second_factor


def change(all_of: Callable[[crypto.Ring, second_factor.Data], second_factor.Data], apps: Apps) -> None:
    ring, rows = crypto.ring(), apps.get_model("mfa", "Authenticator").objects
    for row in list(rows.values_list("pk", flat=True)):
        while data := rows.filter(pk=row).values_list("data", flat=True).first():
            if rows.filter(pk=row, data=data).update(data=all_of(ring, data)):
                break  # else a recovery code was used meanwhile, which must stay used


def seal(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    change(second_factor.seal_all, apps)


def unseal(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    change(second_factor.open_all, apps)


class Migration(migrations.Migration):
    dependencies: ClassVar = [("vidgenie", "0005_token_scopes"), ("mfa", "0003_authenticator_type_uniq")]
    changes: ClassVar = ["mfa_authenticator.data"]

    operations: ClassVar = [migrations.RunPython(seal, unseal)]
