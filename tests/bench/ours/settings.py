"""The project's settings, with one consumer more, which does as little as a consumer can."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS[:-1], "tests.bench.ours.apps.Ours", INSTALLED_APPS[-1]]
