"""The actions of the admin that note something on orders, and that correct the address of an order."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from integration.admin.pages import Question
from integration.domain.address import LONGEST, LONGEST_OPTIONAL
from integration.domain.identifiers import OrderNumber
from integration.rest.fields import AddressForStaffField
from ordering import commands
from ordering.models import CONFIRMED_STATES, Order

PARTS = ("recipient", "company", "street", "street2", "postal_code", "city", "region", "country", "phone")


class Note(Question):
    """The form that asks for a note on the chosen orders."""

    text = forms.CharField(
        label="note",
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Other operators read it on the order's page. It is deleted when the buyer is erased.",
    )

    def left(self, row: Order) -> str:
        return f"{row.get_status_display()}, {row.total}"

    def happens(self, row: Order) -> str:
        return "The note is added with your name. Nothing else changes, and the buyer does not see it."


class AddressFields(Question):
    """A form with the parts of an address, checked as the API checks them; `cleaned_data["address"]` is the address."""

    def __init__(self, rows: Any, data: Any = None, purpose: str = "") -> None:
        super().__init__(rows, data, purpose)
        before = self.address_before()
        for part in PARTS:
            longest = 2 if part == "country" else {**LONGEST, **LONGEST_OPTIONAL}[part]
            field = forms.CharField(max_length=longest, required=False, initial=before.get(part, ""))
            self.fields[part] = field
            self._once.append(part)

    def address_before(self) -> dict[str, str]:
        """The address that the form shows at first, by part."""
        return {}

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        accepted = self.address_before().get("accepted", "")
        given = {part: values[part] for part in PARTS if values.get(part)} | (
            {"accepted": accepted} if accepted else {}
        )
        checked = AddressForStaffField(data=given)
        if checked.is_valid():
            values["address"] = checked.validated_data
        for part, errors in checked.errors.items():
            self.add_error(part if part in self.fields else None, [str(error) for error in errors])
        return values


class AddressCorrection(AddressFields):
    """The form that asks for the right address of one order, and why it is corrected."""

    reason = forms.CharField(max_length=500, help_text="Stored with the correction, for other operators.")

    def address_before(self) -> dict[str, str]:
        return dict(self.rows[0].shipping_address) if len(self.rows) == 1 else {}

    def clean(self) -> dict[str, Any]:
        if len(self.rows) != 1:
            raise forms.ValidationError("Correct the address of one order at a time.")
        return super().clean()

    def left(self, row: Order) -> str:
        parts = (row.shipping_address.get(part) for part in PARTS)
        return f"{row.get_status_display()}, goes to {', '.join(filter(None, parts))}"

    def happens(self, row: Order) -> str:
        stays = "The country stays: shipping and tax were priced for it."
        if row.status not in CONFIRMED_STATES:
            return f"The whole order goes to the new address. {stays}"
        return (
            "Fulfillment is asked to send what has not left to the new address; it says whether that came too late. "
            f"A label that is being bought is cancelled. {stays}"
        )


class CorrectionActions:
    """What the page of orders does about notes and addresses."""

    ask: Any

    @admin.action(description="Add a note …", permissions=["act"])
    def note_on_orders(self, request: HttpRequest, chosen: QuerySet[Order]) -> HttpResponse | None:
        """Ask for a note, then add it to each chosen order."""
        return self.ask(request, chosen, "note_on_orders", Note, _note)

    @admin.action(description="Correct the address …", permissions=["act"])
    def correct_addresses(self, request: HttpRequest, chosen: QuerySet[Order]) -> HttpResponse | None:
        """Ask for the right address of one order."""
        return self.ask(request, chosen, "correct_addresses", AddressCorrection, _correct)


def _note(order: Order, question: Note) -> str:
    commands.add_note(OrderNumber(order.number), question.cleaned_data["text"])
    return f"{order} has a new note"


def _correct(order: Order, question: AddressCorrection) -> str:
    said = question.cleaned_data
    corrected = commands.correct_address(OrderNumber(order.number), said["address"], said["reason"])
    if corrected.status in CONFIRMED_STATES:
        return f"{order}: fulfillment is asked to send what has not left to the new address"
    return f"{order} goes to the new address"
