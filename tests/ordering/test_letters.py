"""Letters are written in the buyer's language, as a text and as HTML; it is stored that they were sent."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.core import mail
from django.core.management import call_command

from integration.domain.identifiers import BuyerId, OrderNumber
from integration.domain.money import Money
from integration.messaging.models import Delivery, Status
from ordering import letters
from ordering.commands import cancel_order, change_profile, erase_buyer
from ordering.letters import EXAMPLES, LANGUAGES, Letter, in_language_of, render
from ordering.models import CancellationReason, SentLetter

ROOT = Path(__file__).resolve().parents[2]
GERMAN = ROOT / "config/locale/de/LC_MESSAGES"

Placed = Callable[..., OrderNumber]
Drain = Callable[..., int]


class Texts(HTMLParser):
    """All texts of a page, without its head."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html.partition("<body")[2])

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.found.append(" ".join(data.split()))


def test_every_text_is_translated_and_the_compiled_file_is_current() -> None:
    with (GERMAN / "django.po").open("rb") as file:
        catalog = read_po(file, locale="de")
    texts = {text for _, _, text, _, _ in extract_from_dir(ROOT / "ordering/letters", keywords={"_": None})}
    assert texts == {message.id for message in catalog if message.id}
    for message in catalog:
        if message.id:
            assert message.string, message.id
            assert sorted(re.findall(r"%\(\w+\)s", str(message.id))) == sorted(
                re.findall(r"%\(\w+\)s", str(message.string))
            )
    compiled = BytesIO()
    write_mo(compiled, catalog)
    assert compiled.getvalue() == (GERMAN / "django.mo").read_bytes(), (
        "compile it: pybabel compile -D django -d config/locale"
    )


def test_each_letter_says_the_same_as_a_text_and_as_html_in_both_languages() -> None:
    subjects = set()
    for kind, write in EXAMPLES.items():
        for language in LANGUAGES:
            with in_language_of(language):
                letter = write()
                rendered = render(letter, "Ada <b>")
            assert letter.kind == kind
            subjects.add(rendered.subject)
            shown = " ".join(Texts(rendered.html).found)
            for part in (letter.subject, *letter.paragraphs, *sum(letter.rows, ()), *letter.small_print):
                assert " ".join(part.split()) in shown
            assert all(part in rendered.text for part in (*letter.paragraphs, *letter.small_print))
            assert "<style" not in rendered.html
            assert "Ada &lt;b&gt;" in rendered.html
            assert f'<html lang="{language}"' in rendered.html
            if letter.link:
                assert f'href="{letter.link[1]}"' in rendered.html
    assert len(subjects) == len(EXAMPLES) * len(LANGUAGES)


@pytest.mark.parametrize(
    ("locale", "language", "amount", "day"),
    [
        ("en", "en", "€1,240.50", "January 31, 2026"),
        ("en-GB", "en", "€1,240.50", "31 January 2026"),
        ("de", "de", "1.240,50\xa0€", "31. Januar 2026"),
        ("de-AT", "de", "€\xa01.240,50", "31. Jänner 2026"),
        ("de_CH", "de", "EUR\xa01'240.50", "31. Januar 2026"),
        ("fr", "en", "€1,240.50", "January 31, 2026"),
        ("de-xy-none", "de", "1.240,50\xa0€", "31. Januar 2026"),
        ("", "en", "€1,240.50", "January 31, 2026"),
    ],
)
def test_money_and_dates_are_written_as_in_the_buyers_country(
    locale: str, language: str, amount: str, day: str
) -> None:
    with in_language_of(locale) as active:
        assert active == language
        assert letters.language.money(Money("1240.50", "EUR")) == amount
        assert letters.language.day(letters.examples.MOMENT) == day


def test_a_letter_has_no_more_of_the_buyer_than_their_name() -> None:
    rendered = render(Letter("kind", "Subject", ("Paragraph.",)), "")
    assert rendered.text.startswith("Hello,\n\nParagraph.")


@pytest.mark.django_db
def test_what_the_law_demands_is_sent_to_everybody_and_the_rest_to_those_who_want_it(
    placed: Placed, drain: Drain, admin_client: Any, tmp_path: Path
) -> None:
    profile = {"email": "ada@example.org", "locale": "de-AT"}
    one = placed({"MUG": 1}, buyer="B-1")
    change_profile(BuyerId("B-1"), {**profile, "email_notifications": False})
    drain()
    assert [message.subject for message in mail.outbox] == [f"Wir haben Ihre Bestellung {one} erhalten"]
    (message,) = mail.outbox
    assert "Widerrufsbelehrung" in message.body
    assert [kind for _, kind in message.alternatives] == ["text/html"]

    change_profile(BuyerId("B-1"), {"email_notifications": True})
    cancel_order(one, CancellationReason.BY_BUYER)
    drain()
    kinds = set(SentLetter.objects.filter(order=one).values_list("kind", "language"))
    assert kinds == {("received", "de"), ("cancelled", "de"), ("refunded", "de")}

    # Sent and not noted, as after a crash, and the buyer reads another language now: the Message-ID is the same.
    again = placed({"MUG": 1}, buyer="B-1")
    drain()
    SentLetter.objects.filter(order=again, kind="received").delete()
    change_profile(BuyerId("B-1"), {"locale": "en"})
    Delivery.objects.filter(consumer="ordering.notify-buyer-of-receipt").update(
        status=Status.PENDING, attempts=0, due_at="2020-01-01T00:00:00Z", done_at=None
    )
    drain()
    german, english = (
        next(message for message in mail.outbox if message.subject == subject)
        for subject in (f"Wir haben Ihre Bestellung {again} erhalten", f"We have received your order {again}")
    )
    assert german.extra_headers == english.extra_headers
    assert SentLetter.objects.get(order=again, kind="received").language == "en"

    page = admin_client.get(f"/admin/ordering/order/{one}/change/").content.decode()
    assert "cancelled (de)" in page
    row = SentLetter.objects.filter(kind="refunded").get()
    assert "/preview/refunded/de/" in admin_client.get(f"/admin/ordering/sentletter/{row.pk}/change/").content.decode()
    assert "refunded (de)" in admin_client.get("/admin/ordering/sentletter/preview/").content.decode()
    preview = admin_client.get("/admin/ordering/sentletter/preview/refunded/de/")
    assert "erstattet" in preview.content.decode()
    assert "erstattet" in admin_client.get("/admin/ordering/sentletter/preview/refunded/de/?text").content.decode()
    assert admin_client.get("/admin/ordering/sentletter/preview/birthday/de/").status_code == 404
    call_command("letters", "preview", "--kind", "delivered", "--language", "de", "--folder", str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"delivered.de.html", "delivered.de.txt"}


@pytest.mark.django_db
def test_an_erased_buyer_gets_no_letter(placed: Placed, drain: Drain) -> None:
    placed({"MUG": 1}, method="pm_card_chargeDeclined")
    change_profile(BuyerId("B-1"), {"email": "ada@example.org"})
    drain()
    sent = len(mail.outbox)
    assert "was declined" in mail.outbox[-1].subject
    erase_buyer(BuyerId("B-1"))
    Delivery.objects.filter(consumer__contains="buyer-of").update(
        status=Status.PENDING, attempts=0, due_at="2020-01-01T00:00:00Z", done_at=None
    )
    drain()
    assert len(mail.outbox) == sent
