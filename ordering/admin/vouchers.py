"""The admin pages of vouchers and of their claims; the package registers them."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from integration.admin.columns import NOTHING, column, figure, linked, list_url, moment, story_column
from integration.admin.pages import AggregateAdmin, Question, StoryAdmin
from integration.domain import clock
from ordering import commands
from ordering.models import Order, Voucher, VoucherClaim


class End(Question):
    """The form of the action that ends vouchers. It asks nothing more."""


def _end(voucher: Voucher, question: End) -> str:
    commands.change_voucher(voucher.code, {"valid_until": clock.now()})
    return f"{voucher} has ended; orders that use it stay as they are"


@column("value")
def value(voucher: Voucher) -> str:
    """What a voucher takes off: a percentage, an amount, or the price of shipping."""
    if voucher.percent_thousandths is not None:
        return f"{voucher.terms.percent:f} %"
    return str(voucher.value or "shipping")


@column("minimum", "minimum_minor")
def minimum(voucher: Voucher) -> str:
    """The lowest subtotal for which a voucher is valid."""
    return str(voucher.minimum or NOTHING)


class VoucherAdmin(AggregateAdmin):
    """Vouchers, with their terms and the uses of limited ones. They are created over the API."""

    list_display = (
        "code",
        "name",
        value,
        moment("valid_from"),
        moment("valid_until"),
        figure("limit"),
        figure("held"),
        figure("redeemed"),
    )
    list_filter = ("kind", "exclusive")
    search_fields = ("code__contains", "name__folded__contains")
    search_help_text = "A code, or a part of a code or a name."
    identifiers = ("code",)
    ordering = ("code",)
    actions = ("end_now",)
    fieldsets = (
        (None, {"fields": ("code", "name")}),
        ("Discount", {"fields": (("kind", value, minimum, "exclusive"),)}),
        ("Valid", {"fields": ((moment("valid_from"), moment("valid_until")),)}),
        ("Limits", {"fields": (("limit", "limit_per_buyer", "held", "redeemed"),)}),
    )

    def tools(self, request: HttpRequest, row: Any) -> list[tuple[str, str]]:
        return [("Claims", list_url(VoucherClaim, {"q": row.pk})), *super().tools(request, row)]

    @admin.action(description="End now …", permissions=["act"])
    def end_now(self, request: HttpRequest, chosen: QuerySet[Voucher]) -> HttpResponse | None:
        """Ask for a confirmation, then let each chosen voucher end."""
        return self.ask(request, chosen, "end_now", End, _end)


class VoucherClaimAdmin(StoryAdmin):
    """The claims of orders on vouchers."""

    list_display = (
        linked(Voucher, "voucher", "voucher"),
        linked(Order, "order", "order"),
        "status",
        "is_counted",
        moment("created_at", "held"),
        story_column(),
    )
    list_display_links = None
    list_filter = ("status",)
    search_fields = ("voucher__contains",)
    search_help_text = "The code of a voucher, the ID of a claim or of a story."
    identifiers = ("id", "voucher")
    fieldsets = (
        (
            None,
            {"fields": (("id", "status"), (linked(Voucher, "voucher", "voucher"), linked(Order, "order", "order")))},
        ),
        ("Limits", {"fields": (("claimant", "is_counted"),)}),
    )
