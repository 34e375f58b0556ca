"""A new context gets every module that the other contexts have, and an entry in each list of contexts."""

import re
from importlib.util import find_spec
from keyword import iskeyword

from django.apps import apps
from django.conf import settings

from config.scaffold.writing import CannotStart, Edits, manage, root, sentence

MODULES = {
    "__init__.py": '''"""{title}: {meaning}

Owns: nothing so far.
Publishes: nothing so far.
Consumes: nothing so far.
"""
''',
    "admin.py": '''"""The admin pages of {name}."""

from django.contrib import admin

from integration.admin.history import HistoryAdmin
from {name}.models import History

admin.site.register(History, HistoryAdmin)
''',
    "api.py": '"""The REST views of {name}; none so far."""\n',
    "apps.py": '''"""Registers {name} with Django."""

from integration.apps import Context


class {title}(Context):
    """{meaning}"""

    name = "{name}"
''',
    "commands.py": '"""The use cases of {name}: one function each, in one unit of work each."""\n',
    "events.py": '"""The domain events of {name}; no other context receives them."""\n',
    "invariants.py": '"""What must always be true in {name}; nothing so far."""\n',
    "migrations/__init__.py": "",
    "models.py": '''"""The aggregates of {name} and their rules."""

from integration.history.entries import HistoryEntry


class History(HistoryEntry):
    """Every domain event of {name}."""
''',
    "policies/__init__.py": '''"""Whenever X, then Y: the reactions of {name}. Every module here is imported at start.

`saga.py` has the reactions that carry an order from placing to its end. Every other rule is a file of its own.
"""
''',
    "policies/saga.py": '"""What {name} does for an order between placing and its end, and what it publishes."""\n',
}


TRIGGERS = '''"""From here on the database numbers recorded events of {name} and refuses to change them."""

from django.db import migrations

from integration.history.append_only import AppendOnly
from integration.read_models.numbering import number_history


class Migration(migrations.Migration):
    dependencies = [("{name}", "0001_initial")]
    operations = [AppendOnly("History"), number_history("{name}")]
'''


def start_context(name: str, meaning: str) -> str:
    """Write a new context, add it to every list of contexts and generate the documents again.

    Args:
        name: one word in lower case.
        meaning: what the context is responsible for, as a sentence.

    Returns:
        What was written, as a sentence.

    Raises:
        CannotStart: for a name or a meaning that cannot be used, and when a list of contexts is not found where it is
            expected. No file is changed then.
    """
    _refuse_taken(name)
    words = {"name": name, "title": name.capitalize(), "meaning": sentence(meaning)}
    edits = Edits()
    for module, text in MODULES.items():
        edits.create(f"{name}/{module}", text.format(**words))
    edits.create(f"{name}/schemas/.gitkeep", "")
    edits.create(f"integration/contracts/{name}.py", f'"""The contracts that {name} publishes."""\n')
    last = settings.CONTEXTS[-1]
    edits.replace("config/settings.py", f'"{last}"]\n', f'"{last}", "{name}"]\n')
    edits.replace(
        "integration/contracts/__init__.py",
        "\n__all__ = [",
        f'from integration.contracts import {name}\n\n__all__ = ["{name}", ',
    )
    # Types, warnings and the dependency rule are checked in the new context, too.
    edits.replace("pyproject.toml", f'"{last}"]', f'"{last}", "{name}"]', times=4)
    edits.replace("pyproject.toml", f'| {last}"', f'| {last} | {name}"')
    edits.replace("pyproject.toml", f"|{last}|tests)", f"|{last}|{name}|tests)", times=2)
    with edits.written(name):
        manage("makemigrations", name)
        # Django can only make the first migration while the second, which depends on it, does not exist.
        triggers = Edits()
        triggers.create(f"{name}/migrations/0002_history_is_append_only.py", TRIGGERS.format(**words))
        with triggers.written():
            manage("document")
    return (
        f"{name}/ has all modules of a context and is installed. Begin with an event: "
        f"manage.py startevent {name}.what_happened …"
    )


def _refuse_taken(name: str) -> None:
    """Refuse a name that is not one plain word, or that a package, an app, a folder or the language already has."""
    taken = iskeyword(name) or name in apps.app_configs or (root() / name).exists()
    if not re.fullmatch(r"[a-z]{3,20}", name) or taken or find_spec(name):
        raise CannotStart(
            f"{name!r} is no name for a new context: use one word of 3 to 20 lower-case letters "
            "that no folder, Django app or Python package has"
        )
