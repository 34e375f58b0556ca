"""A fingerprint changes with everything that decides what code does, and with nothing else."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from integration.domain.fingerprints import fingerprint, meaning_of, methods_of


def plus(n: Any) -> Callable[[int], int]:
    return lambda x: x + n


def calling(f: Any) -> Callable[[int], int]:
    return lambda x: f(x)


def by_default(n: Any) -> Callable[..., Any]:
    def add(x: int, y: Any = n) -> Any:
        return x + y

    return add


def by_keyword(n: Any) -> Callable[..., Any]:
    def add(x: int, *, y: Any = n) -> Any:
        return x + y

    return add


def itself(n: int) -> Callable[[int], int]:
    def count(x: int) -> int:
        return n if x == 0 else count(x - 1)

    return count


NESTED = (lambda n: calling(plus(n)), lambda n: plus([n]), lambda n: plus({"n": n}))


@pytest.mark.parametrize("make", [plus, by_default, by_keyword, itself, *NESTED])
def test_closures_and_defaults_count(make: Callable[[int], Any]) -> None:
    assert fingerprint(meaning_of(make(1))) == fingerprint(meaning_of(make(1)))
    assert fingerprint(meaning_of(make(1))) != fingerprint(meaning_of(make(2)))


@pytest.mark.parametrize("make", [plus, by_default, by_keyword])
def test_those_of_methods_count(make: Callable[[int], Any]) -> None:
    one, same, other = (type("Kind", (), {"add": make(n)}) for n in (1, 1, 2))
    assert methods_of(one) == methods_of(same)
    assert methods_of(one) != methods_of(other)


def test_no_memory_address_counts() -> None:
    code = (
        "from integration.domain.fingerprints import fingerprint, meaning_of\n"
        "def over(it): return lambda: it\n"
        "values = object(), len, {'a': {1, 2}}, over, int, over(1)\n"
        "print(fingerprint(*(meaning_of(over(value)) for value in values)))"
    )
    said = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(3)}
    assert len(said) == 1
