"""PostgreSQL's DETAIL lines are removed from error texts, because they contain whole rows, with names and addresses.

PostgreSQL adds a DETAIL to many errors, and the driver includes it in the error's text. Otherwise personal data would
end up in logs and dead letters. The line before the DETAIL names the error and the constraint, and stays.
"""

import logging
import re

# First form: real line breaks; the DETAIL ends at an empty line. Second form: escaped by repr(); it ends with the line.
_DETAIL = re.compile(r"\nDETAIL: .*?(?=\n\n|\Z)|\\nDETAIL: [^\n]*", re.DOTALL)


def without_rows(text: str) -> str:
    """Return the text of an error or a traceback without PostgreSQL's DETAIL lines."""
    return _DETAIL.sub("", text)


class RedactingFormatter(logging.Formatter):
    """A log formatter that removes PostgreSQL's DETAIL lines."""

    def format(self, record: logging.LogRecord) -> str:
        return without_rows(super().format(record))
