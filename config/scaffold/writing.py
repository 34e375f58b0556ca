"""Code is added to a file without touching what is there, and put into its one form if ruff is at hand."""

import ast
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings


class CannotStart(Exception):
    """What was asked for cannot be written; the message says why."""


def root() -> Path:
    """The project's folder."""
    return Path(settings.BASE_DIR)


def create(path: str, text: str) -> Path:
    """Write a new file below the project's folder; raises `CannotStart` when there is one."""
    file = root() / path
    if file.exists():
        raise CannotStart(f"{path} is there already")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def append(path: str, code: str, imports: Iterable[str]) -> Path:
    """Add code to the end of a module, and above it the imports of what it does not know yet."""
    file = root() / path
    text = file.read_text()
    tree = ast.parse(text)
    known = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    missing = [line for line in imports if line.rpartition(" ")[2] not in known]
    # Below the last import, or else below the module's docstring.
    above = max(
        [node.end_lineno or 0 for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        or [tree.body[0].end_lineno or 0]
    )
    lines = text.splitlines()
    file.write_text("\n".join([*lines[:above], *missing, *lines[above:], "", "", code.strip()]) + "\n")
    return file


def replace(path: str, before: str, after: str, times: int = 1) -> Path:
    """Change a text wherever it stands; raises `CannotStart` unless it stands there so many times."""
    file = root() / path
    text = file.read_text()
    if text.count(before) != times:
        raise CannotStart(f"{path} reads differently by now: {before!r} is there {text.count(before)} times")
    file.write_text(text.replace(before, after))
    return file


def tidy(files: Iterable[Path]) -> None:
    """Sort the imports and put the code into its one form, where ruff is installed."""
    paths = [str(file) for file in files if file.suffix == ".py"]
    if find_spec("ruff"):
        for command in (["check", "--fix-only", "--quiet"], ["format", "--quiet"]):
            subprocess.run([sys.executable, "-m", "ruff", *command, *paths], cwd=root(), check=True)  # noqa: S603 - this very program, and no shell


def manage(*arguments: str) -> None:
    """Run a command with the code as it is now on disk; what this process has imported is older."""
    subprocess.run([sys.executable, str(root() / "manage.py"), *arguments], cwd=root(), check=True)  # noqa: S603 - this very program, and no shell
