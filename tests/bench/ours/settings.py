"""The project's settings with an extra consumer, which only inserts a row."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS[:-1], "tests.bench.ours.apps.Ours", INSTALLED_APPS[-1]]
