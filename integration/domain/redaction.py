"""The values that PostgreSQL quotes are removed from error texts, because names and addresses are among them.

PostgreSQL adds a DETAIL with the whole row to many errors, quotes a value that it cannot convert, and names the
parameters of the statement in a CONTEXT. The driver includes them all in the error's text. Otherwise personal data
would end up in logs and dead letters. What names the error and the constraint stays.
"""

import re

# First form: real line breaks; the DETAIL ends at an empty line. Second form: escaped by repr(); it ends with the line.
_DETAIL = re.compile(r"\nDETAIL: .*?(?=\n\n|\Z)|\\nDETAIL: [^\n]*", re.DOTALL)

_PARAMETERS = re.compile(r"(?:\n|\\n)CONTEXT:  [^\n]*?portal[^\n]*?parameter[^\n]*")
_UNREADABLE = re.compile(
    r"""((?:invalid input (?:syntax|value) for [^:\n]{1,80}|value out of range): )(?:"[^\n]*"|\\"[^\n]*\\")"""
)


def without_rows(text: str) -> str:
    """Return the text of an error or a traceback without the values that PostgreSQL quotes."""
    if "DETAIL: " in text:
        text = _DETAIL.sub("", text)
    if "CONTEXT: " in text:
        text = _PARAMETERS.sub("", text)
    return _UNREADABLE.sub(r"\1…", text)
