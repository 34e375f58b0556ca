"""The lookup `folded` searches without regard to case and accents, in any script and on both databases.

`name__folded__contains="чашка"` finds `Чашка`. SQLite's LIKE ignores the case of ASCII only, and PostgreSQL's lower()
that of the database's locale. So both get a function `waybill_folded`: SQLite from Python with each connection,
PostgreSQL by a migration.
"""

from typing import Any
from unicodedata import combining

from django.db.migrations import RunPython
from django.db.models import CharField, TextField, Transform

from integration.domain.text import TWO_LETTERS, WITHOUT_ACCENT, folded

NAME = "waybill_folded"
COLLATIONS = ("und-x-icu", "pg_c_utf8", "C.utf8")
"""Collations that know the lower case of all scripts, the best first. A PostgreSQL built without ICU has the last."""


@CharField.register_lookup
@TextField.register_lookup
class Folded(Transform):
    """Folds both sides of a comparison."""

    lookup_name = "folded"
    function = NAME
    bilateral = True
    output_field = TextField()


def add_to_sqlite(connection: Any) -> None:
    """Add the function to a new connection."""
    connection.create_function(NAME, 1, lambda text: None if text is None else folded(text), deterministic=True)


def add_to_postgresql() -> RunPython:
    """The migration operation that creates the function, or replaces it by that of this code."""
    return RunPython(_create, _drop)


def _create(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_encoding'), array_agg(collname) FROM pg_collation")
        encoding, known = cursor.fetchone()
        collation = next((f' COLLATE "{name}"' for name in COLLATIONS if name in known), "")
        cursor.execute(_function(collation if encoding == "UTF8" else None))


def _function(collation: str | None) -> str:
    """The statement; without a collation the database cannot hold other scripts."""
    whole = "lower(given)"
    if collation is not None:
        letters = f"lower(regexp_replace(normalize(given, NFKD), '[{_marks()}]', '', 'g'){collation})"
        letters = f"translate({letters}, '{''.join(WITHOUT_ACCENT)}', '{''.join(WITHOUT_ACCENT.values())}')"
        for letter, two in TWO_LETTERS.items():
            letters = f"replace({letters}, '{letter}', '{two}')"
        # Most text is ASCII, which takes as many bytes as letters.
        is_ascii = "octet_length(given) = char_length(given)"
        whole = f"CASE WHEN {is_ascii} THEN lower(given) ELSE normalize({letters}, NFC) END"
    return (
        f"CREATE OR REPLACE FUNCTION {NAME}(given text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE "
        f"AS $folded$ SELECT {whole} $folded$"
    )


def _marks() -> str:
    """The combining marks of the basic plane, as ranges of a regular expression."""
    marks = {code for code in range(0x10000) if combining(chr(code))}
    first = sorted(code for code in marks if code - 1 not in marks)
    last = sorted(code for code in marks if code + 1 not in marks)
    return "".join(f"\\u{low:04x}-\\u{high:04x}" for low, high in zip(first, last, strict=True))


def _drop(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP FUNCTION {NAME}(text)")
