"""Erasing a buyer deletes the e-mails that are stored as files, also those that are written at that moment."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import Settings

from config.verification import verify
from integration.domain.identifiers import BuyerId, OrderNumber
from integration.gateways.mail_files import Letter, persons_with_letters
from ordering import commands
from ordering.commands import emails
from ordering.models import Buyer

pytestmark = pytest.mark.django_db(transaction=True)

CHECK = "erasing.no_letter_to_an_erased_buyer_is_stored"


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> Path:
    settings.EMAIL_BACKEND = "integration.gateways.mail_files.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    return tmp_path / "mail"


def stored(folder: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(folder.rglob("*.*")) if path.is_file())


@pytest.fixture
def declined(placed: Callable[..., OrderNumber]) -> Callable[[str], OrderNumber]:
    """A function that places an order of a buyer with an e-mail address; its payment will be declined."""

    def place(buyer: str) -> OrderNumber:
        order = placed(buyer=buyer, method="pm_card_chargeDeclined")
        commands.change_profile(BuyerId(buyer), {"name": f"Ada of {buyer}", "email": f"{buyer}@example.org"})
        return order

    return place


def erase(buyer: str) -> str:
    out = StringIO()
    call_command("erase_buyer", buyer, "--yes", stdout=out)
    return out.getvalue()


def test_erasing_deletes_all_letters_to_the_buyer_and_no_other(
    folder: Path, declined: Callable[[str], OrderNumber], drain: Callable[..., int]
) -> None:
    orders = [declined(buyer) for buyer in ("B-1", "B-1", "B-11")]
    drain()
    assert all(order in stored(folder) for order in orders)

    assert "2 of their orders anonymized, and 4 of their e-mails" in erase("B-1")
    assert persons_with_letters() == ["B-11"]
    assert "Ada of B-1," not in stored(folder)
    assert "Ada of B-11," in stored(folder)
    assert "nothing left to erase" in erase("B-1")


def test_a_letter_whose_delivery_began_before_the_erasing_is_not_written(
    folder: Path, declined: Callable[[str], OrderNumber], drain: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker has read the address when the buyer is erased."""
    declined("B-1")
    drain("inventory", "billing")
    send, erased = emails.send_email, []

    def late(*args: Any, **options: Any) -> None:
        if not erased:
            erased.append(commands.erase_buyer(BuyerId("B-1")))
        send(*args, **options)

    monkeypatch.setattr(emails, "send_email", late)
    drain()
    assert [each.buyer for each in erased] == [True]
    assert stored(folder) == ""
    assert verify([CHECK])[CHECK].complaints == []


def test_an_erasing_that_died_before_it_deleted_letters_is_named_and_repeated(
    folder: Path, declined: Callable[[str], OrderNumber], drain: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    declined("B-1")
    declined("B-2")
    drain()

    def die(buyer: str) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(commands.erasing, "forget_letters", die)
        with pytest.raises(KeyboardInterrupt):
            erase("B-1")
    assert verify([CHECK])[CHECK].offenders == ["B-1: e-mails are stored as files [the buyer is erased]"]

    assert "2 of their e-mails" in erase("B-1")
    assert verify([CHECK])[CHECK].complaints == []
    assert persons_with_letters() == ["B-2"]


def test_a_buyer_who_only_removed_their_address_keeps_their_letters(
    folder: Path, declined: Callable[[str], OrderNumber], drain: Callable[..., int]
) -> None:
    declined("B-1")
    drain()
    commands.change_profile(BuyerId("B-1"), {"email": ""})
    assert verify([CHECK])[CHECK] == (1, [], True, "")


def test_a_letter_of_an_odd_identifier_is_found_by_verify() -> None:
    commands.register_buyer_if_new(BuyerId("B'-\"1%"))
    commands.change_profile(BuyerId("B'-\"1%"), {"name": "Ada"})
    Letter("Hi", "there", to=["x@example.org"], person="B'-\"1%", is_wanted=lambda: True).send()
    assert verify([CHECK])[CHECK].complaints == []
    commands.erasing._erase_profile(BuyerId("B'-\"1%"))
    assert len(verify([CHECK])[CHECK].offenders) == 1
    assert Buyer.objects.get().name == ""
