"""Which mutants are tried: a sample drawn from a seed, with a share for each package according to its size."""

import random
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from cosmic_ray.ast import Visitor, get_ast
from cosmic_ray.mutating import mutate_code

from tests.mutants.operators import OPERATORS

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("integration", "ordering", "inventory", "billing", "fulfillment")
LEFT_OUT = ("migrations", "documents", "admin", "scaffold")
"""Folders without rules: migrations are history, and pages are looked at."""


TUNING = re.compile(r"[A-Z][A-Z_]+(: [^=]+)? = ")
"""The start of a line that sets a constant. A batch of 51 instead of 50 keeps every promise, so its numbers stay."""


class Mutant(NamedTuple):
    """One change of one file.

    Args:
        path: the file, relative to the root of the project.
        line: the line that changes.
        operator: the name of the operator.
        occurrence: which of the operator's positions in the file it is, from 0.
    """

    path: str
    line: int
    operator: str
    occurrence: int

    @property
    def key(self) -> str:
        """A text that identifies the mutant as long as its file does not change."""
        return f"{self.path}:{self.line} {self.operator} {self.occurrence}"

    @property
    def is_fault(self) -> bool:
        """Whether this is another program. `not name := value` is none, and a `*` between parameters no product."""
        code = (ROOT / self.path).read_text(encoding="utf-8")
        line = code.splitlines()[self.line - 1]
        if self.operator == "AddNot" and ":=" in line:
            with suppress(SyntaxError):
                return bool(compile(self.of(code), self.path, "exec"))
            return False
        return not (self.operator == "ReplaceBinaryOperator_Mul_Div" and re.search(r"(^|[(,])\s*\*,", line))

    def of(self, code: str) -> str:
        """The code of the whole file with this mutant."""
        mutated = mutate_code(code, OPERATORS[self.operator], self.occurrence)
        if mutated is None:
            raise LookupError(f"{self.key}: there is no such position")
        return str(mutated)


class _Positions(Visitor):
    """Collects the lines of an operator's positions, in the order in which `mutate_code` counts them."""

    def __init__(self, operator: Any) -> None:
        self._operator, self.lines = operator, list[int]()

    def visit(self, node: Any) -> Any:
        self.lines += [start[0] for start, _ in self._operator.mutation_positions(node)]
        return node


def mutants_of(path: str) -> Iterator[Mutant]:
    """Yield all mutants of a file."""
    code = (ROOT / path).read_text(encoding="utf-8")
    tree, lines = get_ast(code), code.splitlines()
    for name, operator in OPERATORS.items():
        positions = _Positions(operator)
        positions.walk(tree)
        for occurrence, line in enumerate(positions.lines):
            if name != "NumberReplacer" or not TUNING.match(lines[line - 1]):
                yield Mutant(path, line, name, occurrence)


def modules(package: str) -> list[str]:
    """The files of a package that are mutated."""
    paths = (path.relative_to(ROOT) for path in sorted((ROOT / package).rglob("*.py")))
    return [str(path) for path in paths if not set(LEFT_OUT).intersection(path.with_suffix("").parts)]


def draw(count: int, seed: int, among: Mapping[str, Collection[int]] | None = None) -> list[Mutant]:
    """Draw a sample.

    Each line with mutants has the same chance, whatever the number of its mutants. A line is drawn once at most.

    Args:
        count: how many mutants; all lines if there are fewer.
        seed: the same seed draws the same mutants of the same code.
        among: the lines to mutate, by file; all lines of all modules of all packages without.
    """
    chance = random.Random(seed)
    by_package = {package: _by_line(package, among) for package in PACKAGES}
    mutants = {line: found for lines in by_package.values() for line, found in lines.items()}
    drawn: list[Mutant] = []

    def draw_from(lines: Iterable[tuple[str, int]], number: int) -> None:
        population = sorted(lines)
        for line in chance.sample(population, min(number, len(population))):
            first = mutants[line].index(chance.choice(mutants[line]))
            in_turn = [*mutants[line][first:], *mutants[line][:first]]
            drawn.extend([each for each in in_turn if each.is_fault][:1])

    for lines in by_package.values():
        draw_from(lines, -(-count * len(lines) // max(len(mutants), 1)))
    draw_from(mutants.keys() - {(each.path, each.line) for each in drawn}, max(count - len(drawn), 0))
    chance.shuffle(drawn)
    return drawn[:count]


def _by_line(package: str, among: Mapping[str, Collection[int]] | None) -> dict[tuple[str, int], list[Mutant]]:
    found: dict[tuple[str, int], list[Mutant]] = {}
    for path in modules(package):
        if among is None or path in among:
            for mutant in mutants_of(path):
                if among is None or mutant.line in among[path]:
                    found.setdefault((path, mutant.line), []).append(mutant)
    return found
