"""What can be done in ordering: one function a use case, one unit of work each."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.mail.backends.base import BaseEmailBackend

from integration.aggregates.erasure import forget
from integration.aggregates.unit_of_work import unit_of_work
from integration.contracts.billing import TEST_METHODS
from integration.contracts.ordering import LineToShip, ShippingRequested
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.errors import Refused, Unacceptable, UnacceptableInput
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentId, PaymentMethodId, ShipmentId, Sku
from integration.domain.metadata import caused_by, current_cause
from integration.domain.money import Money
from integration.messaging.erasure import forget_errors
from integration.rest.erasure import close_account, forget_responses
from integration.rest.middleware import actor_of
from integration.storage.order_numbers import next_order_number
from ordering.events import PlacedLine
from ordering.gateways import mail_server, send_letter
from ordering.models import (
    MAX_QUANTITY,
    Availability,
    Buyer,
    CancellationReason,
    Order,
    Product,
    QuantityOutOfBounds,
    TooManyLines,
)
from ordering.queries import orders_under_way, orders_with_a_name, stories_of_profile


class SkuTaken(Refused):
    """There is a product with this sku already."""


class UsernameTaken(Refused):
    """There is a user of this name already."""


class OrdersUnderWay(Refused):
    """The buyer has orders that are under way: they must be delivered or cancelled first."""


class WeakPassword(Unacceptable):
    """The password is too easy to guess."""


class UnknownSku(Unacceptable):
    """There is no product with this sku."""


class NotOnSale(Unacceptable):
    """The product is not on sale."""


class UnknownPaymentMethod(Unacceptable):
    """There is no such payment method."""


def list_product(sku: Sku, name: str, description: str, price: Money) -> Product:
    """Offer a product new to the shop; raises `SkuTaken`, `PriceOutOfBounds`."""
    with unit_of_work() as work:
        if work.find(Product, sku):
            raise SkuTaken(f"there is a product {sku} already")
        product = Product.list_for_sale(sku, name, description, price)
        work.add(product)
    return product


def list_products(goods: Sequence[tuple[Sku, str, str, Money]]) -> int:
    """Offer several products, passing over those the shop has already.

    Returns:
        How many were new.
    """
    with unit_of_work() as work:
        known = work.get_many(Product, [sku for sku, *_ in goods])
        new = [product for product in goods if product[0] not in known]
        for sku, name, description, price in new:
            work.add(Product.list_for_sale(sku, name, description, price))
    return len(new)


def change_product(sku: Sku, changes: Mapping[str, Any], if_version: Collection[int] | None = None) -> Product:
    """Change some of `name`, `description`, `price` and `on_sale`.

    Raises:
        NotFound, PriceOutOfBounds: as they say.
        StaleVersion: the product is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        product = work.get(Product, sku)
        product.expect_version(if_version)
        now = {
            "name": product.name,
            "description": product.description,
            "price": product.price,
            "on_sale": product.on_sale,
        }
        product.change(**{**now, **changes})
    return product


def show_availability(sku: Sku, availability: Availability, sequence: int) -> None:
    """Take over what inventory says of a product; a sku that was never for sale is no business of ordering's."""
    with unit_of_work() as work:
        product = work.find(Product, sku)
        if product:
            product.show_availability(availability, sequence)


def register_customer(username: str, password: str, name: str, email: str) -> Buyer:
    """A user who can log in, and the buyer they are; raises `UsernameTaken`, `WeakPassword`."""
    users = get_user_model().objects
    username = get_user_model().normalize_username(username)
    try:
        validate_password(password)
    except ValidationError as error:
        raise WeakPassword(" ".join(error.messages), pointer="/password") from None
    hashed = make_password(password)  # takes its time, and so is done before anything is locked
    with unit_of_work() as work:
        if users.filter(username=username).exists():
            raise UsernameTaken(f"there is a user named {username} already")
        user = users.create(username=username, email=users.normalize_email(email), password=hashed)
        buyer = Buyer.register(buyer_of_user(user.pk), user=user.pk, name=name, email=email)
        work.add(buyer)
    return buyer


def change_profile(buyer: BuyerId, changes: Mapping[str, Any], if_version: Collection[int] | None = None) -> Buyer:
    """Change some of `name`, `email`, `default_shipping_address`, `locale` and `email_notifications`.

    Raises:
        NotFound: there is no such buyer.
        StaleVersion: the profile is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        known = work.get(Buyer, buyer)
        known.expect_version(if_version)
        address = known.default_shipping_address
        now = {
            "name": known.name,
            "email": known.email,
            "default_shipping_address": Address(**address) if address else None,
            "locale": known.locale,
            "email_notifications": known.email_notifications,
        }
        known.change_profile(**{**now, **changes})
    return known


def register_buyer_if_new(buyer: BuyerId, *, user: int | None = None) -> None:
    """Know a buyer from now on: a user by their name and address, anyone else by nothing but their identifier."""
    with unit_of_work() as work:
        if work.look_at(Buyer, [buyer]):
            return
        name = email = ""
        if user is not None:
            # The lock makes two first orders of one user wait for each other; the second finds the buyer.
            account = get_user_model().objects.select_for_update(no_key=True).get(pk=user)
            if work.find(Buyer, buyer):
                return
            name, email = account.get_full_name(), account.email
        work.add(Buyer.register(buyer, user=user, name=name, email=email))


def buyer_of_user(user_id: int) -> BuyerId:
    """The identifier a user of this shop buys under."""
    return BuyerId(f"U-{user_id}")


def user_of_buyer(buyer: BuyerId) -> int | None:
    """The user who buys under this identifier, if it is one of this shop's."""
    kind, _, number = buyer.partition("-")
    return int(number) if kind == "U" and number.isdecimal() else None


def place_order(
    buyer: BuyerId,
    lines: Sequence[tuple[Sku, int]],
    shipping_address: Address,
    payment_method: PaymentMethodId,
) -> Order:
    """Order goods at today's prices.

    Args:
        lines: skus and quantities; the same sku twice is added up.

    Raises:
        UnacceptableInput: with one error for each sku that is unknown or not on sale, and for the payment method.
        TooManyLines, QuantityOutOfBounds, MixedCurrencies, TooExpensive: as they say.
    """
    Order.require(len(lines) > 0, TooManyLines(pointer="/lines"))
    skus = {sku for sku, _ in lines}
    with unit_of_work() as work:
        work.look_ahead({Product: skus, Buyer: [buyer]})
        priced = _priced(work.look_at(Product, skus), lines, payment_method)
        # Not locked: orders of one buyer, such as a marketplace, need not wait for each other's commits.
        known = work.look_at(Buyer, [buyer]).get(buyer)
        order = Order.place(
            next_order_number(),
            buyer=buyer,
            lines=priced,
            discount_percent=known.discount_percent if known else 0,
            shipping_address=shipping_address,
            payment_method=payment_method,
            payment_due_at=clock.now() + settings.PAYMENT_DEADLINE,
        )
        work.add(order)
    return order


def _priced(
    products: Mapping[str, Product], lines: Sequence[tuple[Sku, int]], payment_method: PaymentMethodId
) -> list[PlacedLine]:
    """The lines at the server's own prices, one a sku, in the order the skus were first named."""
    quantities: dict[Sku, int] = {}
    errors: list[Unacceptable] = []
    for i, (sku, quantity) in enumerate(lines):
        quantities[sku] = quantities.get(sku, 0) + quantity
        if not 1 <= quantities[sku] <= MAX_QUANTITY:
            raise QuantityOutOfBounds(pointer=f"/lines/{i}/quantity")
        if sku not in products:
            errors.append(UnknownSku(f"there is no product {sku!r}", pointer=f"/lines/{i}/sku"))
        elif not products[sku].on_sale:
            errors.append(NotOnSale(f"product {sku} is not on sale", pointer=f"/lines/{i}/sku"))
    if payment_method not in TEST_METHODS:
        errors.append(UnknownPaymentMethod(f"there is no payment method {payment_method!r}", pointer="/payment_method"))
    if errors:
        raise UnacceptableInput(errors)
    return [PlacedLine(sku, products[sku].name, quantity, products[sku].price) for sku, quantity in quantities.items()]


def await_payment(number: OrderNumber) -> None:
    """The order's goods are set aside."""
    with unit_of_work() as work:
        work.get(Order, number).reserve_goods()


def cancel_for_shortage(number: OrderNumber) -> None:
    """The order's goods are not all there."""
    with unit_of_work() as work:
        work.get(Order, number).run_out_of_stock()


def lock_orders(numbers: Sequence[OrderNumber]) -> None:
    """Lock several orders, in the order of their keys."""
    with unit_of_work() as work:
        work.prefetch(Order, numbers)


def lock_orders_and_buyers(numbers: Sequence[OrderNumber]) -> None:
    """Lock several orders and then their buyers, each in the order of their keys."""
    with unit_of_work() as work:
        orders = work.get_many(Order, numbers)
        work.get_many(Buyer, {order.buyer_id for order in orders.values()})


def confirm_order(number: OrderNumber, payment: PaymentId, amount: Money) -> None:
    """The order's money came in."""
    with unit_of_work() as work:
        work.get(Order, number).be_paid(payment, amount)


def shipping_request(number: OrderNumber) -> ShippingRequested:
    """What fulfillment must know to send the order: the one place an address leaves ordering."""
    with unit_of_work() as work:
        order = work.get(Order, number)
    return ShippingRequested(
        order=number,
        recipient=Address(**order.shipping_address),
        lines=tuple(LineToShip(Sku(line.sku), line.name, line.quantity) for line in order.lines),
    )


def cancel_for_declined_payment(number: OrderNumber, reason: str) -> None:
    """The order's money will not come."""
    with unit_of_work() as work:
        work.get(Order, number).be_declined(reason)


def cancel_for_missed_deadline(number: OrderNumber) -> None:
    """The order's money did not come in time."""
    with unit_of_work() as work:
        work.get(Order, number).miss_its_deadline()


def cancel_order(
    number: OrderNumber, reason: CancellationReason, note: str = "", if_version: Collection[int] | None = None
) -> Order:
    """Someone no longer wants the order.

    Raises:
        NotFound: there is no such order.
        NotAllowed: it is shipped, or cancelled already.
        StaleVersion: the order is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
        order.expect_version(if_version)
        order.be_cancelled(reason, note)
    return order


def complete_cancellation(number: OrderNumber, reason: CancellationReason) -> None:
    """Fulfillment stopped the order's shipment."""
    with unit_of_work() as work:
        work.get(Order, number).stay_in_the_house(reason)


def give_up_cancellation(number: OrderNumber) -> None:
    """Fulfillment could not stop the order's shipment."""
    with unit_of_work() as work:
        work.get(Order, number).be_past_cancelling()


def note_dispatch(
    number: OrderNumber,
    shipment: ShipmentId,
    carrier: str,
    tracking_number: str,
    quantities: Mapping[Sku, int],
) -> None:
    """Goods of the order left the house."""
    with unit_of_work() as work:
        work.get(Order, number).be_shipped(shipment, carrier, tracking_number, quantities)


def note_delivery(number: OrderNumber, shipment: ShipmentId) -> None:
    """Goods of the order reached their recipient."""
    with unit_of_work() as work:
        work.get(Order, number).be_delivered(shipment)


def note_refund(number: OrderNumber, refunded: Money) -> None:
    """Money went back to the buyer, `refunded` in all so far."""
    with unit_of_work() as work:
        work.get(Order, number).be_refunded(refunded)


class Letters(NamedTuple):
    """What it takes to write to buyers: name and address of those who want letters, by order, and a mail server."""

    buyers: Mapping[OrderNumber, tuple[str, str]]
    server: BaseEmailBackend


@contextmanager
def letters_about(numbers: Collection[OrderNumber]) -> Iterator[Letters]:
    """Be ready to write to the buyers of some orders; one query, and at most one connection to the mail server."""
    wanted = Order.objects.filter(pk__in=numbers, buyer__email_notifications=True).exclude(buyer__email="")
    rows = wanted.order_by().values_list("number", "buyer__name", "buyer__email")
    with mail_server() as server:
        yield Letters({OrderNumber(number): (name, email) for number, name, email in rows}, server)


def write_to_buyer(letters: Letters, number: OrderNumber, subject: str, body: str) -> None:
    """Send the buyer of an order a letter, outside of any transaction; nothing if they don't want any.

    Raises:
        OSError: the letter could not be sent; to be tried again.
    """
    if number in letters.buyers:
        name, email = letters.buyers[number]
        greeting = f"Hello {name}," if name else "Hello,"
        key = blake2b(f"{number} {subject}".encode(), digest_size=12).hexdigest()
        send_letter(letters.server, to=email, subject=subject, body=f"{greeting}\n\n{body}\n", key=key)


def change_spend(buyer: BuyerId, order: OrderNumber, change: Money) -> None:
    """Count an order into what the buyer spent, or out of it again."""
    with unit_of_work() as work:
        work.get(Buyer, buyer).change_spend(order, change)


def grant_discount(buyer: BuyerId, percent: int, reason: str) -> None:
    """Let every new order of the buyer cost `percent` hundredths less; 0 ends it."""
    with unit_of_work() as work:
        work.get(Buyer, buyer).grant_discount(percent, reason)


ERASED_AT_ONCE = 200
"""As many orders are anonymized in one unit of work: SQLite lets nobody else write for so long."""


class Erased(NamedTuple):
    """What there was to erase: whether of the buyer themselves, and in how many of their orders."""

    buyer: bool
    orders: int


def erase_buyer(buyer: BuyerId) -> Erased:
    """Forget who a buyer is: their account, their profile, and of their orders all but what the books need.

    It takes some fifteen statements for each 200 orders. The other contexts hear of it and follow. If it is cut off,
    calling it again goes on; when all is done, it finds nothing.

    Raises:
        NotFound: there is no such buyer.
        OrdersUnderWay: some order of theirs is neither delivered nor cancelled.
    """
    erased = _erase_profile(buyer)
    orders = 0
    while some := _anonymize_some_orders(buyer):
        orders += some
    return Erased(erased, orders)


def _erase_profile(buyer: BuyerId) -> bool:
    with unit_of_work() as work:
        known = work.get(Buyer, buyer)
        under_way = orders_under_way(buyer)
        if under_way:
            raise OrdersUnderWay(f"{OrdersUnderWay.__doc__} {', '.join(under_way)}")
        before = known.version
        known.be_erased([])
        forget(Buyer, [buyer])
        stories = stories_of_profile(buyer)
        forget_errors(stories)
        forget_responses(stories, actor_of(known.user) if known.user else None)
        if known.user:
            close_account(known.user)
    return known.version > before


def _anonymize_some_orders(buyer: BuyerId) -> int:
    with unit_of_work() as work:
        cause = current_cause()
        orders = work.get_many(Order, orders_with_a_name(buyer, ERASED_AT_ONCE))
        if orders:
            for order in orders.values():
                order.be_anonymized()
            with caused_by(cause):  # and not as a part of the last order's story
                work.get(Buyer, buyer).be_erased([OrderNumber(number) for number in orders])
            forget(Order, orders)
            stories = [order.correlation_id for order in orders.values()]
            forget_errors(stories)
            forget_responses(stories)
    return len(orders)
