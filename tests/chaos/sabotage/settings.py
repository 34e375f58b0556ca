"""The project's settings, and an app that makes its processes go wrong."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS[:-1], "tests.chaos.sabotage.apps.Sabotage", INSTALLED_APPS[-1]]
