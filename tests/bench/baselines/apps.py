"""The app of the plain programs, with tables of its own."""

from django.apps import AppConfig


class Baselines(AppConfig):
    """Nothing is wired: there is nothing to wire."""

    name = "tests.bench.baselines"
    label = "plain"
