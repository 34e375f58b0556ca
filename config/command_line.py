"""The command line. Where a person must see to something, a command ends with one sentence instead of a traceback."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import InterfaceError, OperationalError

from config.environment import cannot_start


def main(arguments: list[str]) -> None:
    """Run a command of `manage.py`; exits with 1 if the configuration is wrong or the database fails."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if "--traceback" in arguments:
        execute_from_command_line(arguments)
        return
    try:
        execute_from_command_line(arguments)
    except ImproperlyConfigured as error:
        sys.exit(cannot_start(error))
    except (OperationalError, InterfaceError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        sys.exit(
            f"The database failed: {reason}. "
            "What was committed is stored. Once the database works, run the command again."
        )
