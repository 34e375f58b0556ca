"""JSON as it should be, in UTF-8: what cannot be read is a 400, whatever is wrong with it."""

import json
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

LONGEST_NUMBER = 100


class StrictJSONParser(JSONParser):
    """Takes JSON in UTF-8, whatever else the `Content-Type` claims."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            return json.loads(stream.read().decode(), parse_int=_whole_number, parse_constant=_no_number)
        except UnicodeDecodeError as error:
            raise ParseError(f"The body is not UTF-8: byte {error.start} cannot be read.") from None
        except RecursionError:
            raise ParseError("The body is nested too deeply.") from None
        except ValueError as error:
            raise ParseError(f"The body is not JSON: {error}.") from None


def _whole_number(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"a number of more than {LONGEST_NUMBER} digits")
    return int(digits)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")
