"""The settings of the books: the currency, who sells, and how long the payers of invoices are stored."""

from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured

from config.environment import Environment
from integration.domain.money import Money, NotMoney, decimal_places


class Seller(NamedTuple):
    """The seller on invoices: Directive 2006/112/EC, article 226 (3) and (5), requires all of it of who charges VAT."""

    name: str
    address: list[str]
    vat_id: str


def shop_currency(env: Environment) -> str:
    """Read the one currency of the shop; raises `ImproperlyConfigured`."""
    currency = env.text("SHOP_CURRENCY", "USD")
    try:
        decimal_places(currency)
    except NotMoney as error:
        raise ImproperlyConfigured(f"SHOP_CURRENCY must be a currency, such as USD: {error}") from error
    return currency


def book_settings(env: Environment) -> tuple[Seller, timedelta]:
    """Read the seller, and how long payers are stored; raises `ImproperlyConfigured`. The default is ten years."""
    seller = Seller(env.text("SELLER_NAME", "Waybill"), env.listed("SELLER_ADDRESS", []), env.text("SELLER_VAT_ID", ""))
    return seller, timedelta(days=env.number("INVOICE_RETENTION_DAYS", 3_653, "days", least=0, most=36_500))


def refund_approval_limit(env: Environment, currency: str) -> Decimal | None:
    """Read the limit above which a refund needs a second person; None without one. Raises `ImproperlyConfigured`."""
    limit = env.text(
        "REFUND_APPROVAL_LIMIT", "", r"[0-9]{1,12}(\.[0-9]{1,4})?", f"be an amount of {currency}, such as 100"
    )
    try:
        return Money(Decimal(limit), currency).amount if limit else None
    except NotMoney as error:
        raise ImproperlyConfigured(f"REFUND_APPROVAL_LIMIT must be an amount of {currency}: {error}") from error
