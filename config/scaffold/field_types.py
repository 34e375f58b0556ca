"""The types that a field of a new event may have, and the imports they need.

Every one of them can be stored as JSON and read back as the same value.
"""

import ast
import sys
from enum import Enum
from typing import Any

import msgspec

from config.scaffold.writing import CannotStart
from integration.domain import identifiers
from integration.domain.versions import Versioned

IDENTIFIERS = sorted(name for name, kind in vars(identifiers).items() if hasattr(kind, "__supertype__"))
PERSONAL = ["PersonalAddress", "PersonalAddressIfAny", "PersonalPaymentMethod", "PersonalText"]
MODULES = {
    **dict.fromkeys(IDENTIFIERS, "integration.domain.identifiers"),
    **dict.fromkeys(PERSONAL, "integration.domain.personal"),
    **dict.fromkeys(["date", "datetime", "time", "timedelta"], "datetime"),
    "Address": "integration.domain.address",
    "Decimal": "decimal",
    "Literal": "typing",
    "Money": "integration.domain.money",
    "UUID": "uuid",
}
"""The module that each type is imported from."""
BUILT_IN = ["bool", "float", "int", "str"]
SIMPLE = sorted({*BUILT_IN, *MODULES} - {"Literal"})
KEYS = {"str", "date", "datetime", "UUID", *IDENTIFIERS}
"""The types of a dict's keys. JSON stores every key as text, so a whole number would come back as text."""
COMPOSED = ["X | None", "tuple[X, ...]", "tuple[X, Y]", "list[X]", "set[X]", "frozenset[X]", "dict[str, X]"]


def imports_of(kind: str, module: str) -> set[str]:
    """The imports that a type needs, as statements.

    Args:
        kind: the type as Python writes it, such as `tuple[Sku, ...]` or `str | None`.
        module: the dotted name of the module that the event is added to. Its enums and structs are types, too.

    Raises:
        CannotStart: for a type that an event's field cannot have.
    """
    own = _enums_and_structs_of(module)
    try:
        tree = ast.parse(kind, mode="eval").body
    except SyntaxError:
        raise CannotStart(_refusal(kind, own)) from None
    if not (isinstance(tree, ast.Name) and tree.id in PERSONAL):
        _check(tree, own)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return {f"from {MODULES[name]} import {name}" for name in names & MODULES.keys()}


def _check(node: ast.expr, own: set[str]) -> None:
    match node:
        case ast.Name(id=name) if name in PERSONAL:
            raise CannotStart(f"{name} can only be the whole type of a field: no part of a value is personal by itself")
        case ast.Name(id=name) if name in SIMPLE or name in own:
            parts = []
        case ast.BinOp(left=part, op=ast.BitOr(), right=ast.Constant(value=None)):
            parts = [part]
        case ast.Subscript(value=ast.Name(id="Literal"), slice=values) if all(map(_is_plain, _elements(values))):
            parts = []
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[ast.Name(id=key), part])) if key in KEYS:
            parts = [part]
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[part, ast.Constant(value=last)])):
            parts = [part] if last is ... else [node.slice]
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[_, *_] as parts)):
            pass
        case ast.Subscript(value=ast.Name(id="list"), slice=part):
            parts = [part]
        case ast.Subscript(value=ast.Name(id="set" | "frozenset"), slice=ast.Name() as part):
            parts = [part]
        case _:
            raise CannotStart(_refusal(ast.unparse(node), own))
    for part in parts:
        _check(part, own)


def _elements(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]


def _is_plain(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (str, int)


def _enums_and_structs_of(module: str) -> set[str]:
    """The enums and structs that a module defines or imports, events excepted."""
    return {name for name, kind in vars(sys.modules[module]).items() if _is_enum_or_struct(kind)}


def _is_enum_or_struct(kind: Any) -> bool:
    if not isinstance(kind, type) or issubclass(kind, Versioned):
        return False
    return issubclass(kind, Enum | msgspec.Struct)


def _refusal(kind: str, own: set[str]) -> str:
    return (
        f"{kind!r} cannot be the type of a field. The types are {', '.join(sorted({*SIMPLE, *own}))}, "
        f'Literal["a", "b"], and made of them {", ".join(COMPOSED)}; put quotes around a type with spaces. '
        "An enum or a struct of your own is a type once the module of the event defines it"
    )
