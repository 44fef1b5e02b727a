from django.db import migrations

from tests.ops.planted import failing


class Migration(migrations.Migration):
    dependencies = [("workflows", "0001_initial")]
    operations = [migrations.RunPython(failing.by_dying, migrations.RunPython.noop)]
