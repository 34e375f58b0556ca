"""The text of JSON values, written by the standard encoder, which knows only the types of JSON.

msgspec would also encode dates, decimals and bytes as text, and NaN as null. They would be read back as something else.
"""

import json
from collections.abc import Callable
from typing import Any


class CannotStore(TypeError):
    """The storage layer does not know this type of field or value."""


def json_text(value: Any) -> str:
    """Return a value as JSON, in the format of `json.dumps`; raises `CannotStore` if it has none."""
    try:
        return "".join(_chunks(value, 0))
    except (TypeError, ValueError) as error:
        raise CannotStore(f"this is no JSON: {error}") from error


def _refuse(value: Any) -> Any:
    raise TypeError(f"values of type {type(value).__name__}")


def _encoder() -> Callable[[Any, int], Any]:
    """Return the encoder of `json.dumps` without NaN. `json.dumps` makes a new one for each value, which takes longer
    than encoding a small event."""
    make: Any = getattr(json.encoder, "c_make_encoder", None)  # None without the C extension
    if make is None:
        return lambda value, level: json.dumps(value, allow_nan=False)
    return make(None, _refuse, json.encoder.encode_basestring_ascii, None, ": ", ", ", False, False, False)


_chunks = _encoder()
