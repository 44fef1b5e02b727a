"""The product's settings, with the planted app and the migrations that PLANTED names."""

import os

from vidgenie.settings import *  # noqa: F403
from vidgenie.settings import INSTALLED_APPS, MIGRATION_MODULES

INSTALLED_APPS = [*INSTALLED_APPS, "tests.ops.planted"]
MIGRATION_MODULES = {**MIGRATION_MODULES, "planted": f"tests.ops.planted.{os.environ['PLANTED']}"}
