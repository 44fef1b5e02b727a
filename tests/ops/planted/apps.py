"""The planted app."""

from django.apps import AppConfig


class PlantedConfig(AppConfig):
    name = "tests.ops.planted"
    label = "planted"
