"""Tokens have scopes. Those from before may do all that they could; the way back forgets what each was made for."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

ALL = ["read", "run", "account"]


class Migration(migrations.Migration):
    dependencies = [("vidgenie", "0004_monitoring")]

    operations = [
        migrations.AddField(
            model_name="apitoken",
            name="scopes",
            field=ArrayField(models.CharField(max_length=20), db_default=ALL, size=None, verbose_name="scopes"),
        ),
        migrations.AddConstraint(
            model_name="apitoken",
            constraint=models.CheckConstraint(
                condition=models.Q(("scopes__contained_by", ALL), ("scopes__len__gt", 0)),
                name="apitoken_scopes_are_known",
            ),
        ),
    ]
