"""A strict JSON parser: the body must be UTF-8 and standard JSON, and no object may have a key twice.

A body that cannot be parsed is a 400. A key that occurs twice is a 422: JSON allows it, and readers disagree about
which value counts. Source: RFC 8259, section 4.
"""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from math import isfinite
from typing import Any

from django.http import HttpRequest
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from integration.domain.errors import Unacceptable, UnacceptableInput
from integration.rest.pointers import escaped

MAX_DIGITS = 100
MAX_REPEATED_LISTED = 20
"""The number of repeated keys that a response lists."""


class RepeatedField(Unacceptable):
    """This field occurs more than once in its object."""


class StrictJSONParser(JSONParser):
    """Parses JSON as UTF-8 and ignores the charset in `Content-Type`."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return parse_json(_body(stream))


class _Repeating(dict[str, Any]):
    """A JSON object in which keys occur twice."""

    repeated: tuple[str, ...]


def parse_json(body: bytes) -> Any:
    """Parse a body.

    Raises:
        ParseError: when the body is not UTF-8 or not JSON, or is nested too deeply.
        UnacceptableInput: when an object has a key twice.
    """
    repeating: list[_Repeating] = []

    def make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            made = _Repeating(made)
            made.repeated = tuple(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
            repeating.append(made)
        return made

    try:
        parsed = json.loads(
            body.decode(),
            parse_int=_parse_int,
            parse_float=_parse_float,
            parse_constant=_refuse_constant,
            object_pairs_hook=make_object,
        )
    except UnicodeDecodeError as error:
        raise ParseError(f"The body is not UTF-8: byte {error.start} cannot be decoded.") from None
    except RecursionError:
        raise ParseError("The body is nested too deeply.") from None
    except ValueError as error:
        raise ParseError(f"The body is not JSON: {error}.") from None
    if repeating:
        listed = islice(_pointers_of_repeated(parsed), MAX_REPEATED_LISTED)
        raise UnacceptableInput([RepeatedField(pointer=pointer) for pointer in listed])
    return parsed


def _pointers_of_repeated(parsed: Any) -> Iterator[str]:
    unvisited = [("", parsed)]
    while unvisited:
        pointer, value = unvisited.pop()
        if isinstance(value, _Repeating):
            yield from (f"{pointer}/{escaped(name)}" for name in value.repeated)
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        unvisited += [(f"{pointer}/{escaped(str(key))}", each) for key, each in items]


def _body(stream: Any) -> bytes:
    # Reading a request itself would leave nothing for a view that is called a second time.
    return stream.body if isinstance(stream, HttpRequest) else stream.read()


def _parse_int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS} digits")
    return int(digits)


def _parse_float(digits: str) -> float:
    if not isfinite(number := float(digits)):
        raise ValueError("a number is too large")
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
