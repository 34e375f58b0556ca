"""Every command in the docs runs as it is typed: what it names exists, with these options."""

import re
import shlex
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHELL = {"cd", "docker", "export", "git", "kubectl", "pg_basebackup", "pg_dump", "pg_restore", "psql"}
"""Programs that are no part of the project."""


def console_lines() -> Iterator[tuple[str, str]]:
    """The commands of all pages, each with the page it is on; lines that end in a backslash are joined."""
    for page in PAGES:
        for block in re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if line.strip().startswith("$ "):
                    yield page.name, line.strip().removeprefix("$ ")


LINES = sorted(set(console_lines()))


def mistakes(line: str) -> list[str]:
    """What a command names that does not exist."""
    if re.match(r"curl |[A-Z_]+=\$\(curl ", line):
        return []  # its JSON goes on below
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        return [str(error)]
    while words and re.match(r"[A-Z_]+=", words[0]):
        words.pop(0)
    match words:
        case []:
            return []
        case ["make", *targets]:
            known = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
            return [f"make {target}" for target in targets if "=" not in target and target not in known]
        case [".venv/bin/python", "manage.py", command, *arguments]:
            return mistakes_of_command(command, arguments)
        case [".venv/bin/python", "-m", module, *_]:
            return [] if find_spec(module) else [f"module {module}"]
        case [program, *_] if program.startswith(".venv/bin/"):
            return [] if (TOOLS / Path(program).name).exists() else [program]
        case [program, *arguments]:
            paths = [argument for argument in arguments if re.match(r"(docs|tests)/", argument)]
            unknown = [] if program in SHELL else [f"program {program}"]
            return unknown + [path for path in paths if not (ROOT / path).exists()]
    return []


def mistakes_of_command(name: str, arguments: list[str]) -> list[str]:
    if name not in get_commands():
        return [f"manage.py {name}"]
    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
    try:
        parser.parse_args(arguments)
    except (Exception, SystemExit) as error:
        return [f"manage.py {name}: {error}"]
    return []


def test_every_page_with_commands_is_read() -> None:
    assert {"README.md", "extending.md", "operations.md"} <= {page for page, _ in LINES}


@pytest.mark.parametrize(("page", "line"), LINES)
def test_a_command_of_the_docs_names_what_exists(page: str, line: str) -> None:
    assert mistakes(line) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_within_a_sentence_exist(page: Path) -> None:
    named = set(re.findall(r"`(?:\.venv/bin/python )?manage\.py (\w+)", page.read_text(encoding="utf-8")))
    assert named - set(get_commands()) == set()


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("manage.py verify", "program manage.py"),
        ("make nothing", "make nothing"),
        (".venv/bin/python manage.py verity", "manage.py verity"),
        (".venv/bin/python manage.py simulate --sed 7", "manage.py simulate: "),
        (".venv/bin/python -m tests.nothing", "module tests.nothing"),
        (".venv/bin/selery -A config worker", ".venv/bin/selery"),
        ("psql -f docs/nothing.sql", "docs/nothing.sql"),
        ('echo "', "No closing quotation"),
    ],
)
def test_a_command_that_names_what_does_not_exist_is_found(line: str, mistake: str) -> None:
    found = mistakes(line)
    assert len(found) == 1
    assert found[0].startswith(mistake)
