"""The settings of the project, with the app `sabotage` added."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS[:-1], "tests.chaos.sabotage.apps.Sabotage", INSTALLED_APPS[-1]]
