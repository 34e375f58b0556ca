"""A new context has the same rooms as all others, a language of its own, and a place in the wiring."""

import re

from django.conf import settings

from config.scaffold.writing import CannotStart, create, manage, replace, root, tidy

MODULES = {
    "__init__.py": '''"""{title}: {meaning}

Owns: nothing so far.
Publishes: nothing so far.
Listens to: nothing so far.
"""
''',
    "admin.py": '''"""The operators' pages of {name}."""

from django.contrib import admin

from integration.admin.history import HistoryAdmin
from {name}.models import History

admin.site.register(History, HistoryAdmin)
''',
    "api.py": '"""{title} over REST: it has no routes so far."""\n',
    "apps.py": '''"""Joins {name} to the house."""

from integration.apps import Context


class {title}(Context):
    """{meaning}"""

    name = "{name}"
''',
    "commands.py": '"""What can be done in {name}: one function a use case, one unit of work each."""\n',
    "events.py": '"""What happens in {name}, in its own words; no other context hears these."""\n',
    "invariants.py": '"""What must always be true in {name}; nothing so far."""\n',
    "migrations/__init__.py": "",
    "models.py": '''"""The aggregates of {name} and their rules."""

from integration.history.entries import HistoryEntry


class History(HistoryEntry):
    """Every domain event of {name}."""
''',
    "policies/__init__.py": '''"""Whenever X, then Y: the reactions of {name}, found by being here.

`saga.py` is its part of an order's way; every further rule is a file of its own.
"""
''',
    "policies/saga.py": '"""What {name} does on an order\'s way from placing to its end, and what it tells."""\n',
}


TRIGGERS = '''"""From here on the database refuses to change what happened in {name}."""

from django.db import migrations

from integration.history.append_only import AppendOnly


class Migration(migrations.Migration):
    dependencies = [("{name}", "0001_initial")]
    operations = [AppendOnly("History")]
'''


def start_context(name: str, meaning: str) -> str:
    """Write a new context and wire it; returns what was written, as a sentence.

    Args:
        name: one word.
        meaning: what it is there for, as a sentence.

    Raises:
        CannotStart: for a name that will not do, or a house that reads differently.
    """
    if not re.fullmatch(r"[a-z]{3,20}", name) or name == "tests" or (root() / name).exists():
        raise CannotStart(f"{name!r} is no name for a new context: one word in small letters that nothing has yet")
    words = {"name": name, "title": name.capitalize(), "meaning": f"{meaning.strip().removesuffix('.')}."}
    files = [create(f"{name}/{module}", text.format(**words)) for module, text in MODULES.items()]
    files.append(create(f"integration/contracts/{name}.py", f'"""What {name} tells the others."""\n'))
    (root() / name / "schemas").mkdir()
    last = settings.CONTEXTS[-1]
    files += [
        replace("config/settings.py", f'"{last}"]\n', f'"{last}", "{name}"]\n'),
        replace(
            "integration/contracts/__init__.py",
            "\n__all__ = [",
            f'from integration.contracts import {name}\n\n__all__ = ["{name}", ',
        ),
    ]
    # Types, warnings and the dependency rule are looked after in it, too.
    replace("pyproject.toml", f'"{last}"]', f'"{last}", "{name}"]', times=4)
    replace("pyproject.toml", f'| {last}"', f'| {last} | {name}"')
    replace("pyproject.toml", f"|{last}|tests)", f"|{last}|{name}|tests)", times=2)
    tidy(files)
    manage("makemigrations", name)
    create(f"{name}/migrations/0002_history_is_append_only.py", TRIGGERS.format(**words))
    return f"{name}/ has its rooms and is wired. It begins with an event: manage.py startevent {name}.what_happened …"
