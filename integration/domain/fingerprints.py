"""Fingerprints of loaded code: two versions of the code have the same fingerprint where they do the same.

A fingerprint is made from compiled code and not from files, which a deployment may have replaced. Line numbers and
comments do not count, docstrings do. It is the same in every process of one version of Python.
"""

from hashlib import sha256
from inspect import isfunction
from types import CodeType
from typing import Any


def fingerprint(*parts: Any) -> str:
    """Return 32 hexadecimal digits for values whose `repr` is the same in every process."""
    return sha256(repr([*parts]).encode()).hexdigest()[:32]


def methods_of(kind: type) -> list[Any]:
    """Return the meaning of a class's own methods and properties, by name."""
    own = {name: getattr(it, "fget", None) or getattr(it, "__func__", it) for name, it in vars(kind).items()}
    return [(name, meaning_of(method.__code__)) for name, method in sorted(own.items()) if isfunction(method)]


def meaning_of(constant: Any) -> Any:
    """Return a constant or a code object as a value whose `repr` is the same in every process."""
    match constant:
        case CodeType():
            return [constant.co_code, constant.co_names, *map(meaning_of, constant.co_consts)]
        case tuple():
            return [*map(meaning_of, constant)]
        case frozenset():
            return sorted(map(repr, constant))
    return repr(constant)
