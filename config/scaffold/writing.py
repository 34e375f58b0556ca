"""Generators plan every change to the files first and write them only when the whole plan fits.

If a command that runs after the writing fails, the files get their former contents back.
"""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings

LONGEST_MEANING = 90


class CannotStart(Exception):
    """The requested code cannot be written; the message says why."""


def root() -> Path:
    """The project's folder."""
    return Path(settings.BASE_DIR)


def sentence(meaning: str) -> str:
    """The meaning with one full stop at its end, fit for a docstring.

    Raises:
        CannotStart: for an empty or long meaning, and for characters that a docstring cannot hold as they are.
    """
    words = meaning.strip().removesuffix(".")
    if not words or len(words) > LONGEST_MEANING or re.search(r'["\\\n]', words):
        raise CannotStart(
            f"{meaning!r} is not a meaning: write one sentence of at most {LONGEST_MEANING} characters, without "
            'double quotes, backslashes and line breaks, such as "An order was placed"'
        )
    return f"{words}."


class Edits:
    """Planned changes to the project's files, by their paths below the project's folder.

    `create`, `append` and `replace` only plan. Each sees the text that the plan has made so far.
    """

    def __init__(self) -> None:
        self._planned: dict[Path, str] = {}

    def create(self, path: str, text: str) -> None:
        """Plan a new file; raises `CannotStart` if the file exists."""
        file = root() / path
        if file.exists() or file in self._planned:
            raise CannotStart(f"{path} already exists")
        self._planned[file] = text

    def append(self, path: str, code: str, imports: Iterable[str]) -> None:
        """Plan code at the end of a module, and those of the imports that the module lacks.

        Args:
            path: the module, which must exist.
            code: a class or a function.
            imports: whole statements that import one name each, such as `from datetime import datetime`.

        Raises:
            CannotStart: when the module does not exist or has no docstring.
        """
        text = self._text(path)
        tree = ast.parse(text)
        import_nodes = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        if ast.get_docstring(tree) is None:
            raise CannotStart(f"{path} has no docstring at its top: the imports go below it")
        known = {alias.asname or alias.name for node in import_nodes for alias in node.names}
        missing = [line for line in imports if line.rpartition(" ")[2] not in known]
        # Below the last import, or else below the module's docstring.
        above = max(node.end_lineno or 0 for node in [tree.body[0], *import_nodes])
        lines = text.splitlines()
        self._planned[root() / path] = (
            "\n".join([*lines[:above], *missing, *lines[above:], "", "", code.strip()]) + "\n"
        )

    def replace(self, path: str, before: str, after: str, times: int = 1) -> None:
        """Plan to replace a text; raises `CannotStart` unless the file contains the text exactly `times` times."""
        text = self._text(path)
        if text.count(before) != times:
            raise CannotStart(
                f"{path} contains {before!r} {text.count(before)} times, and {times} were expected: "
                "make this change by hand, or restore the file"
            )
        self._planned[root() / path] = text.replace(before, after)

    def _text(self, path: str) -> str:
        file = root() / path
        if file not in self._planned and not file.is_file():
            raise CannotStart(f"{path} does not exist")
        return self._planned[file] if file in self._planned else file.read_text()

    @contextmanager
    def written(self, *generated: str) -> Iterator[None]:
        """Write the plan, format the Python files, and keep everything if the block succeeds.

        If anything fails, every planned file gets its former content back, or is deleted if it is new.

        Args:
            generated: paths of files and folders that the block creates, to be deleted if it fails.
        """
        made = [path for path in (root() / name for name in generated) if not path.exists()]
        folders = {folder for file in self._planned for folder in file.parents if not folder.exists()}
        before = {file: file.read_text() if file.exists() else None for file in self._planned}
        try:
            for file, text in self._planned.items():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            tidy(self._planned)
            yield
        except BaseException:
            for file, former in before.items():
                if former is None:
                    file.unlink(missing_ok=True)
                else:
                    file.write_text(former)
            for path in [*made, *sorted(folders, reverse=True)]:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            raise


def tidy(files: Iterable[Path]) -> None:
    """Sort the imports of Python files and format them, if ruff is installed."""
    paths = [str(file) for file in files if file.suffix == ".py"]
    if paths and find_spec("ruff"):
        for command in (["check", "--fix-only", "--quiet"], ["format", "--quiet"]):
            _run("-m", "ruff", *command, *paths)


def manage(*arguments: str) -> None:
    """Run a management command in a new process, which imports the code as it is now on disk.

    Raises:
        CannotStart: when the command fails; its own output says why.
    """
    _run(str(root() / "manage.py"), *arguments)


def _run(*arguments: str) -> None:
    try:
        subprocess.run([sys.executable, *arguments], cwd=root(), check=True)  # noqa: S603 - this interpreter, and no shell
    except subprocess.CalledProcessError as error:
        words = " ".join(argument.removeprefix(f"{root()}/") for argument in arguments)
        raise CannotStart(f"`{words}` failed, see above; no file was changed") from error
