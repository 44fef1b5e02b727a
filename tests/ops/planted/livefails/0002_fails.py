from django.db import migrations

from tests.ops.planted import failing


class Migration(migrations.Migration):
    dependencies = [("planted", "0001_column")]
    operations = [migrations.RunPython(failing.on_the_live_database, migrations.RunPython.noop)]
