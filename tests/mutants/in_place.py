"""Gives new code to functions that are already imported.

So one process imports everything and collects all tests, and a fork of it tries a mutant within a second. What runs at
import (decorators, tables, class attributes) cannot be changed so; `trial.py` imports such a mutant afresh.
"""

import ast
import builtins
import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

PROBE = "__mutants_probe__"
"""The name, among Python's built-in ones, of the function that probes call."""

Functions = dict[tuple[str, str, int], list[FunctionType]]
"""The functions that exist, by the file, qualified name and line of their code."""


def functions_below(root: Path) -> Functions:
    """Find all functions that exist, also methods and what decorators wrap, whose code lies below a folder."""
    found: Functions = {}
    gc.unfreeze()  # objects that are frozen are not listed
    for each in gc.get_objects():
        if type(each) is FunctionType and each.__code__.co_filename.startswith(f"{root}/"):
            found.setdefault(_key(each.__code__), []).append(each)
    return found


def put_in_place(functions: Functions, path: Path, new: str | ast.Module) -> None:
    """Give the functions of a file the code that they have in `new`.

    Raises ValueError if a function would use other variables of the function around it, which is fixed at import.
    """
    old = compile(path.read_text(encoding="utf-8"), str(path), "exec", dont_inherit=True)
    for before, after in _pairs(old, compile(new, str(path), "exec", dont_inherit=True)):
        for function in functions.get(_key(before), ()):
            function.__code__ = after


def _key(code: CodeType) -> tuple[str, str, int]:
    return code.co_filename, code.co_qualname, code.co_firstlineno


def _pairs(old: CodeType, new: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    yield old, new
    inner = [[const for const in code.co_consts if isinstance(const, CodeType)] for code in (old, new)]
    if len({tuple(code.co_name for code in codes) for codes in inner}) == 1:
        for before, after in zip(*inner, strict=True):
            yield from _pairs(before, after)


# --- Probes ---


def probe_with(call: Callable[[str, int], None]) -> None:
    """Let the probes call a function with the path and the line that is about to run."""
    setattr(builtins, PROBE, call)


def with_probes(code: str, path: str, lines: Iterable[int]) -> tuple[ast.Module, set[int]]:
    """Add a probe to each of these lines that lies in a function, in front of its innermost statement.

    Returns the tree, and the lines that have a probe. The others run only at import.
    """
    tree, probed = ast.parse(code), set()
    places = [place for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for place in _statements(node)]
    for line in sorted(set(lines)):
        around = [place for place in places if _first_line(place[1]) <= line <= (place[1].end_lineno or 0)]
        if around:
            body, statement = max(around, key=lambda place: _first_line(place[1]))
            probe = ast.parse(f"{PROBE}({path!r}, {line})").body[0]
            for node in ast.walk(probe):
                ast.copy_location(node, statement)
            body.insert(body.index(statement), probe)
            probed.add(line)
    return tree, probed


def first_lines_of_functions(code: str) -> set[int]:
    """The first line in the body of each function."""
    functions = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef))
    return {_first_line(function.body[-1 if len(function.body) == 1 else 1]) for function in functions}


def _statements(node: Any) -> Iterator[tuple[list[ast.stmt], ast.stmt]]:
    """Yield each statement below a node with the list that holds it, without those of functions and classes in it."""
    for field in ("body", "orelse", "finalbody"):
        for statement in getattr(node, field, ()):
            yield getattr(node, field), statement
            if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
                yield from _statements(statement)
    for part in [*getattr(node, "handlers", ()), *getattr(node, "cases", ())]:
        yield from _statements(part)


def _first_line(statement: ast.stmt) -> int:
    return min([statement.lineno, *(each.lineno for each in getattr(statement, "decorator_list", ()))])


# --- Importing a mutant ---


class ImportsInstead(MetaPathFinder):
    """Imports one module from other code than its file holds; tracebacks and `inspect` show the file."""

    def __init__(self, path: Path, code: str) -> None:
        self.path, self.code = path, code

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Find a module as Python does, and let this one be loaded from the other code."""
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.origin is None or Path(spec.origin) != self.path:
            return None
        spec.loader = _FromCode(name, str(self.path), self.code)
        return spec

    def install(self) -> None:
        """Ask this finder before Python's own."""
        sys.meta_path.insert(0, self)


class _FromCode(SourceFileLoader):
    def __init__(self, name: str, path: str, code: str) -> None:
        super().__init__(name, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        """Compile the other code."""
        return compile(self._code, self.path, "exec", dont_inherit=True)
