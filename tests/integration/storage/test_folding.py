"""A search ignores case and accents in every script, in the same way in Python and in both databases."""

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from django.db import connection

from integration.domain.text import folded

PAIRS = [
    ("Чашка", "чАШКА"),
    ("Ёлка", "елка"),
    ("Café", "CAFE"),
    ("CAFÉ", "cafe\u0301"),
    ("Ångström", "angstrom"),
    ("\u212bngstrom", "ångström"),
    ("Straße", "STRASSE"),
    ("STRAẞE", "strasse"),
    ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
    ("Ελλάς", "ελλασ"),
    ("Łódź", "lodz"),
    ("SMØRREBRØD", "smorrebrod"),
    ("Encyclopædia Œuvre", "encyclopaedia oeuvre"),
    ("İstanbul", "istanbul"),
    ("ILIK \u0131l\u0131k", "ilik ilik"),
    ("Việt Nam", "viet nam"),
    ("\uff34\uff25\uff21 ①", "tea 1"),
    ("ﬁsh", "FISH"),
    ("한글", unicodedata.normalize("NFD", "한글")),
    ("צִיּוֹן", "ציון"),
    ("كِتَاب", "كتاب"),
    ("Հայաստան", "հայաստան"),
    ("ᲡᲐᲥᲐᲠᲗᲕᲔᲚᲝ", "საქართველო"),
    ("naïve 100%", "NAIVE 100%"),
    ("", "\u0301"),
]


def by_database(text: str | None) -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT waybill_folded(%s)", [text])
        return cursor.fetchone()[0]


@pytest.mark.django_db
@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_text_that_differs_in_case_and_accents_only_is_equal(one: str, other: str) -> None:
    assert folded(one) == folded(other)
    assert by_database(one) == by_database(other)
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert folded(unicodedata.normalize(form, one)) == folded(one)
        assert by_database(unicodedata.normalize(form, one)) == by_database(other)


@pytest.mark.django_db
@pytest.mark.parametrize("pair", [("a", "b"), ("чашка", "чашки"), ("한", "항"), ("नि", "नी"), ("o", "ö o")])
def test_other_letters_stay_different(pair: tuple[str, str]) -> None:
    one, other = pair
    assert folded(one) != folded(other)
    assert by_database(one) != by_database(other)


@pytest.mark.django_db
def test_nothing_stays_nothing() -> None:
    assert by_database(None) is None
    assert by_database("") == ""


@pytest.mark.parametrize("url", ["postgres://nobody@127.0.0.1:1/nothing", "sqlite:///:memory:"])
def test_every_process_knows_the_lookup_whatever_its_database(url: str, tmp_path: Path) -> None:
    code = "from django.db.models import CharField; assert CharField().get_transform('folded')"
    environment = {**os.environ, "DATABASE_URL": url, "CELERY_BROKER_URL": "memory://", "WAYBILL_VAR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", f"import django; django.setup(); {code}"], env=environment, check=True)
