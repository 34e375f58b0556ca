"""What a decorator registers is registered: a function that lost its decorator would be left out without a word."""

import ast
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from django.conf import settings

from tests.quick import ROOT

SOURCES = [
    path.relative_to(ROOT)
    for top in ("config", "integration", *settings.CONTEXTS)
    for path in sorted((ROOT / top).rglob("*.py"))
    if "migrations" not in path.parts
]


def _functions(path: Path) -> list[ast.FunctionDef]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def test_every_check_is_registered_as_an_invariant() -> None:
    checks = [
        (path, function)
        for path in SOURCES
        if "invariants" in {*path.parts, path.stem}
        for function in _functions(path)
        if function.returns and ast.unparse(function.returns) == "Check" and not function.name.startswith("_")
    ]

    assert checks
    assert [f"{path}: {function.name}" for path, function in checks if not function.decorator_list] == []


def test_every_function_without_a_name_is_registered_somewhere() -> None:
    unnamed = [(path, function) for path in SOURCES for function in _functions(path) if function.name == "_"]

    assert unnamed
    assert [f"{path}:{function.lineno}" for path, function in unnamed if not function.decorator_list] == []


COLLECTING = {"billing.reconciliation.Report"}
"""The structs that a function fills while it works."""


def _structs(of: type = msgspec.Struct) -> Iterator[type[msgspec.Struct]]:
    for struct in of.__subclasses__():
        yield struct
        yield from _structs(struct)


@pytest.mark.parametrize("top", ["config", "integration", *settings.CONTEXTS])
def test_every_struct_is_immutable(top: str) -> None:
    structs = [struct for struct in _structs() if struct.__module__.partition(".")[0] == top]

    mutable = {
        f"{struct.__module__}.{struct.__qualname__}" for struct in structs if not struct.__struct_config__.frozen
    }

    assert mutable <= COLLECTING
