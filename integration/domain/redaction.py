"""What a database says about a row it refuses stays here: it tells all of the row, addresses and names among it.

PostgreSQL adds such a DETAIL to its errors, and drivers make it part of the error's text, so that it would end in logs
and dead letters. What is wrong, and with which constraint, is in the line before.
"""

import logging
import re

# As it is, up to an empty line, or spelled out by repr(), up to the end of the line.
_DETAIL = re.compile(r"\nDETAIL: .*?(?=\n\n|\Z)|\\nDETAIL: [^\n]*", re.DOTALL)


def without_rows(text: str) -> str:
    """The text of an error, or a traceback, without what PostgreSQL tells of rows."""
    return _DETAIL.sub("", text)


class DiscreetFormatter(logging.Formatter):
    """Formats all that is logged, and leaves rows out."""

    def format(self, record: logging.LogRecord) -> str:
        return without_rows(super().format(record))
