"""JSON pointers, which say in an error where the input is wrong."""

from urllib.parse import quote


def escaped(field: str) -> str:
    """Escape a field's name for a JSON pointer in a URI fragment. Source: RFC 6901, section 6."""
    return quote(field.replace("~", "~0").replace("/", "~1"), safe="~!$&'()*+,;=:@", errors="replace")
