"""Orders taken by phone. The draft is a cart of the buyer, or of a guest: an operator fills it, and orders it.

Every event has the operator's name. The cart is priced as the shop prices it, and ordered at the total that the buyer
agreed to, or not at all.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from integration.admin.columns import NOTHING, Shown, link
from integration.admin.pages import Question
from integration.domain.errors import DomainError
from integration.domain.identifiers import BuyerId, CartId, PaymentMethodId, Sku
from integration.domain.money import Money
from ordering import commands
from ordering.admin.corrections import AddressFields
from ordering.commands.cart_prices import priced_cart
from ordering.gateways.payments import payments
from ordering.models import MAX_QUANTITY, Cart, CartStatus, Product
from ordering.queries import buyer_named


class WhoCalls(forms.Form):
    """The form that begins an order by phone."""

    buyer = forms.CharField(
        required=False,
        max_length=254,
        help_text="An ID, a username or an e-mail address. Empty for somebody without an account.",
    )

    def clean_buyer(self) -> BuyerId | None:
        try:
            return buyer_named(self.cleaned_data["buyer"]) if self.cleaned_data["buyer"] else None
        except DomainError as error:
            raise forms.ValidationError(error.detail) from None


class _AboutDraft(Question):
    def left(self, row: Cart) -> str:
        priced = priced_cart(row).priced
        return f"{row.get_status_display()}, {sum(units for _, units in row.items)} units, {priced.total} with shipping"


class PutIn(_AboutDraft):
    """The form that asks for a product and its quantity."""

    sku = forms.CharField(label="SKU", max_length=40)
    quantity = forms.IntegerField(min_value=0, max_value=MAX_QUANTITY, initial=1, help_text="0 takes it out.")

    def happens(self, row: Cart) -> str:
        return "The draft has this quantity of the product. Nothing is reserved before it is ordered."


class ShipTo(AddressFields):
    """The form that asks where the goods go."""

    def address_before(self) -> dict[str, str]:
        address = self.rows[0].shipping_address if self.rows else None
        return dict(address or {})

    def happens(self, row: Cart) -> str:
        return "Shipping and tax of the draft are priced for this address."


class ShipWith(_AboutDraft):
    """The form that asks for a shipping option."""

    option = forms.ChoiceField()

    def __init__(self, rows: Any, data: Any = None, purpose: str = "") -> None:
        super().__init__(rows, data, purpose)
        offers = priced_cart(rows[0]).priced.offers
        choices = [("", "the cheapest"), *((offer.option, f"{offer.name}, {offer.price}") for offer in offers)]
        self.fields["option"] = forms.ChoiceField(choices=choices, required=False, initial=rows[0].shipping_option)


class UseVoucher(_AboutDraft):
    """The form that asks for a voucher's code; a code that the draft names already is dropped."""

    code = forms.CharField(max_length=40)

    def clean_code(self) -> str:
        return str(self.cleaned_data["code"]).upper()


class OrderIt(_AboutDraft):
    """The form that orders the draft: how it is paid, and which total was agreed."""

    agreed = forms.DecimalField(label="Total agreed with the buyer", max_digits=19, min_value=0)
    pays_with = forms.ChoiceField(
        required=False,
        help_text="Needed unless it costs nothing. A card number is never asked for on the phone.",
    )
    email = forms.EmailField(
        label="E-mail address", required=False, help_text="For somebody without an account: where letters go."
    )

    def __init__(self, rows: Any, data: Any = None, purpose: str = "") -> None:
        super().__init__(rows, data, purpose)
        cart = rows[0]
        self.fields["agreed"].initial = priced_cart(cart).priced.total.amount
        ways = payments().ways_to_pay(BuyerId(cart.buyer) if cart.buyer else None)
        choices = [("", NOTHING), *ways.items()]
        self.fields["pays_with"] = forms.ChoiceField(
            choices=choices, required=False, help_text=self.fields["pays_with"].help_text
        )

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if not self.rows[0].buyer and not values.get("email") and "email" not in self.errors:
            self.add_error("email", "Somebody without an account needs an e-mail address.")
        return values

    def happens(self, row: Cart) -> str:
        return (
            "The order is placed at this total, and its goods are reserved. The buyer gets a letter with what they are "
            "to do. If it is not paid in time, it is cancelled."
        )


class PhoneOrders:
    """What the pages of carts do about orders by phone."""

    change_form_template: Any = "admin/waybill/cart.html"
    change_list_template: Any = "admin/waybill/carts.html"
    opts: Any
    admin_site: Any
    ask: Any
    has_act_permission: Any

    def get_urls(self) -> list[Any]:
        phone = path("phone/", self.admin_site.admin_view(self.phone_view), name="ordering_cart_phone")
        return [phone, *super().get_urls()]  # type: ignore[misc]  # of the admin that this is mixed into

    def phone_view(self, request: HttpRequest) -> HttpResponse:
        """The page that begins an order by phone; raises `PermissionDenied` without the permission to change carts."""
        if not self.has_act_permission(request):
            raise PermissionDenied
        form = WhoCalls(request.POST or None, initial={"buyer": request.GET.get("buyer", "")})
        if request.method == "POST" and form.is_valid():
            cart, _ = commands.open_cart(form.cleaned_data["buyer"])
            return HttpResponseRedirect(reverse("admin:ordering_cart_change", args=[cart.pk]))
        context = {**self.admin_site.each_context(request), "title": "Order by phone", "form": form, "opts": self.opts}
        return TemplateResponse(request, "admin/waybill/phone.html", context)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        cart: Cart = context["original"]
        if cart.status == CartStatus.OPEN:
            shown = priced_cart(cart)
            context["draft"] = shown
            context["draft_lines"] = [(link(Product, line.sku), line) for line in shown.lines]
            context["draft_money"] = _money(shown.priced)
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]

    def why_not(self, action: str, row: Cart) -> str:
        if action == "order_draft" and row.status == CartStatus.OPEN:
            return "" if row.items and row.shipping_address else "it needs goods and an address"
        return str(super().why_not(action, row))  # type: ignore[misc]

    @admin.action(description="Put in …", permissions=["act"])
    def put_in(self, request: HttpRequest, chosen: QuerySet[Cart]) -> HttpResponse | None:
        """Ask for a product and its quantity, and set it."""
        return self.ask(request, chosen, "put_in", PutIn, _put_in)

    @admin.action(description="Ship to …", permissions=["act"])
    def ship_to(self, request: HttpRequest, chosen: QuerySet[Cart]) -> HttpResponse | None:
        """Ask for an address, and set it."""
        return self.ask(request, chosen[:1], "ship_to", ShipTo, _ship_to)

    @admin.action(description="Ship with …", permissions=["act"])
    def ship_with(self, request: HttpRequest, chosen: QuerySet[Cart]) -> HttpResponse | None:
        """Ask for a shipping option, and set it."""
        return self.ask(request, chosen[:1], "ship_with", ShipWith, _ship_with)

    @admin.action(description="Voucher …", permissions=["act"])
    def use_voucher(self, request: HttpRequest, chosen: QuerySet[Cart]) -> HttpResponse | None:
        """Ask for a code, and name it; or drop it if it is named."""
        return self.ask(request, chosen, "use_voucher", UseVoucher, _use_voucher)

    @admin.action(description="Order it …", permissions=["act"])
    def order_draft(self, request: HttpRequest, chosen: QuerySet[Cart]) -> HttpResponse | None:
        """Ask how it is paid, and order it."""
        return self.ask(request, chosen[:1], "order_draft", OrderIt, _order)


def _money(priced: Any) -> list[tuple[str, Shown]]:
    rows = [("Goods", str(priced.subtotal)), *((each.name, str(-each.amount)) for each in priced.discounts)]
    if priced.shipping:
        rows.append((f"Shipping ({priced.shipping.name})", str(priced.shipping.price)))
    rows.append(("Tax, included" if priced.prices_include_tax else "Tax", str(priced.tax)))
    return [*rows, ("Total", str(priced.total))]


def _key(cart: Cart) -> tuple[CartId, BuyerId | None]:
    return CartId(cart.id), BuyerId(cart.buyer) if cart.buyer else None


def _put_in(cart: Cart, question: PutIn) -> str:
    sku, quantity = Sku(question.cleaned_data["sku"]), question.cleaned_data["quantity"]
    if quantity:
        commands.set_item(*_key(cart), sku, quantity)
        return f"{cart} has {quantity} × {sku}"
    commands.remove_item(*_key(cart), sku)
    return f"{cart} has no {sku}"


def _ship_to(cart: Cart, question: ShipTo) -> str:
    commands.set_address(*_key(cart), question.cleaned_data["address"])
    return f"{cart} has an address"


def _ship_with(cart: Cart, question: ShipWith) -> str:
    commands.set_shipping_option(*_key(cart), question.cleaned_data["option"] or None)
    return f"{cart} has a shipping option"


def _use_voucher(cart: Cart, question: UseVoucher) -> str:
    code = question.cleaned_data["code"]
    is_named = code in cart.codes
    (commands.drop_voucher if is_named else commands.name_voucher)(*_key(cart), code)
    return f"{cart} {'no longer names' if is_named else 'names'} voucher {code}"


def _order(cart: Cart, question: OrderIt) -> str:
    said, currency = question.cleaned_data, priced_cart(cart).priced.currency
    order = commands.check_out(
        *_key(cart),
        PaymentMethodId(said["pays_with"]) if said["pays_with"] else None,
        email=said["email"],
        expected_total=Money(said["agreed"], currency),
    )
    return f"{order} is placed for {order.total}"
