"""The admin page of captures: what was taken of authorized payments, and what could not be."""

from django.contrib import admin

from billing.admin.books import in_the_books, invoice, payment
from billing.models import Capture, Invoice, Payment
from integration.admin.columns import amount, linked, moment, story_column
from integration.admin.pages import StoryAdmin
from integration.admin.sections import InStory


@admin.register(Capture)
class CaptureAdmin(StoryAdmin):
    """Captures: each takes a part or all of an authorized payment, because goods left in a shipment."""

    list_display = (
        "id",
        invoice,
        payment,
        story_column(text="order"),
        "shipment",
        "status",
        amount("amount"),
        moment("created_at", "requested"),
        "failure",
    )
    list_filter = ("status",)
    date_hierarchy = "created_at"
    in_story = InStory("Captures", ("id", "shipment", "status", amount("amount"), "failure"), 45)
    search_fields = ("reference__contains", "id__contains")
    search_help_text = "An identifier, an invoice's or an order's number, a provider's reference, or the id of a story."
    identifiers = ("id", "invoice_id", "payment_id", "order")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("id", "order", "shipment", "status"),
                    (linked(Invoice, "invoice_id", "invoice"), linked(Payment, "payment_id", "payment")),
                    "amount",
                )
            },
        ),
        ("The provider's response", {"fields": (("reference", "failure", in_the_books),)}),
    )
