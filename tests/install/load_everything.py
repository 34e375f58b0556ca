"""Imports all our modules, all commands, and the packages kombu needs for each broker that the settings allow.

Run `python -m tests.install.load_everything` in an environment with only the runtime requirements. It fails with a
ModuleNotFoundError if `requirements.txt` lacks a package.
"""

from importlib import import_module
from pkgutil import walk_packages

import django
from django.conf import settings
from django.core.management import get_commands, load_command_class
from kombu.transport import get_transport_cls

BROKERS = ["memory", "redis", "rediss", "amqp", "amqps"]


def main() -> None:
    """Import everything; raises `ModuleNotFoundError` at the first package that is missing."""
    django.setup()
    for name, app in get_commands().items():
        load_command_class(app, name)
    for package in ["config", "integration", *settings.CONTEXTS]:
        for module in walk_packages(import_module(package).__path__, f"{package}."):
            import_module(module.name)
    for transport in BROKERS:
        get_transport_cls(transport)


if __name__ == "__main__":
    main()
