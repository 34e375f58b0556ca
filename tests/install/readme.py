"""Reads the commands out of README."""

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

README = Path(__file__).resolve().parents[2] / "README.md"
FIRST_ORDER, SERVER = "A first order", "On PostgreSQL and Redis"
"""The sections whose commands are run."""


class Server(NamedTuple):
    """README's settings of a server, and its commands in order."""

    settings: dict[str, str]
    commands: list[list[str]]

    def command(self, *words: str) -> list[str]:
        """Return the only command that has all of these words; raises `ValueError` unless there is exactly one."""
        (found,) = (command for command in self.commands if set(words) <= set(command))
        return found


def consoles(section: str) -> Iterator[list[str]]:
    """Yield the commands of each console block of a section; indented lines continue a command."""
    text = README.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        yield [command.strip() for command in re.findall(r"^\$ (.*(?:\n .*)*)", block, re.MULTILINE)]


def server() -> Server:
    """Return the settings and commands of a server."""
    (typed,) = consoles(SERVER)
    words = [shlex.split(line, comments=True) for line in typed]
    settings = [setting for first, *rest in words if first == "export" for setting in rest]
    return Server(dict(_pair(setting) for setting in settings), [line for line in words if line[0] != "export"])


def first_order(port: int) -> tuple[str, str]:
    """Return the buyer's commands and the operator's commands, as shell scripts for the shop on a port."""
    buyer, operator = consoles(FIRST_ORDER)
    url, *rest = buyer
    assert url.startswith("URL=http://127.0.0.1:8000/"), url
    url = url.replace(":8000/", f":{port}/")
    return _script([url, *rest]), _script([url, *operator])


def _pair(setting: str) -> tuple[str, str]:
    name, _, value = setting.partition("=")
    return name, value


def _script(commands: Sequence[str]) -> str:
    # Without --fail-with-body, curl exits 0 for an HTTP error.
    return "\n".join(["set -eu", 'curl() { command curl --fail-with-body --show-error "$@"; }', *commands])
