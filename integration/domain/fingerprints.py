"""Fingerprints of loaded code: two versions of the code have the same fingerprint where they do the same.

A fingerprint is made from compiled code and not from files, which a deployment may have replaced. Line numbers and
comments do not count, docstrings do. It is the same in every process of one version of Python.
"""

from hashlib import sha256
from inspect import isfunction
from types import CellType, CodeType, FunctionType
from typing import Any


def fingerprint(*parts: Any) -> str:
    """Return 32 hexadecimal digits for values whose `repr` is the same in every process."""
    return sha256(repr([*parts]).encode()).hexdigest()[:32]


def methods_of(kind: type) -> list[Any]:
    """Return the meaning of a class's own methods and properties, by name."""
    own = {name: getattr(it, "fget", None) or getattr(it, "__func__", it) for name, it in vars(kind).items()}
    return [(name, meaning_of(method)) for name, method in sorted(own.items()) if isfunction(method)]


def meaning_of(value: Any, within: tuple[Any, ...] = ()) -> Any:
    """Return a constant, a code object or a function as a value whose `repr` is the same in every process.

    Args:
        value: what the code uses. The meaning of a function includes its defaults and the values that it closes over.
        within: the functions whose meaning includes this value; one that closes over itself is not entered again.
    """
    match value:
        case FunctionType():
            if value in within:
                return value.__qualname__
            cells = [each.cell_contents for each in value.__closure__ or () if each != CellType()]
            parts = [value.__code__, value.__defaults__, value.__kwdefaults__, *cells]
            return [meaning_of(part, (*within, value)) for part in parts]
        case CodeType():
            return [value.co_code, value.co_names, *(meaning_of(each, within) for each in value.co_consts)]
        case tuple() | list():
            return [meaning_of(each, within) for each in value]
        case dict():
            return [(repr(key), meaning_of(value[key], within)) for key in sorted(value, key=repr)]
        case set() | frozenset():
            return sorted(map(repr, value))
        case type():
            return value.__qualname__
    text = repr(value)
    return type(value).__qualname__ if " at 0x" in text else text
