from django.db import migrations

from tests.ops.planted import failing


class Migration(migrations.Migration):
    dependencies = [("workflows", "0001_initial")]
    operations = [migrations.RunPython(failing.at_sixty_percent, migrations.RunPython.noop)]
