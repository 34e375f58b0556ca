"""The Django app of the baseline programs, with tables of its own."""

from django.apps import AppConfig


class Baselines(AppConfig):
    """The app of the baselines; it registers nothing."""

    name = "tests.bench.baselines"
    label = "plain"
