"""A strict JSON parser: the body must be UTF-8 and standard JSON, and every parse failure is a 400."""

import json
from typing import Any

from django.http import HttpRequest
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

MAX_DIGITS = 100


class StrictJSONParser(JSONParser):
    """Parses JSON as UTF-8 and ignores the charset in `Content-Type`."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            return json.loads(_body(stream).decode(), parse_int=_parse_int, parse_constant=_refuse_constant)
        except UnicodeDecodeError as error:
            raise ParseError(f"The body is not UTF-8: byte {error.start} cannot be decoded.") from None
        except RecursionError:
            raise ParseError("The body is nested too deeply.") from None
        except ValueError as error:
            raise ParseError(f"The body is not JSON: {error}.") from None


def _body(stream: Any) -> bytes:
    # Reading a request itself would leave nothing for a view that is called a second time.
    return stream.body if isinstance(stream, HttpRequest) else stream.read()


def _parse_int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS} digits")
    return int(digits)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
