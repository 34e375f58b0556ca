"""What can be done in ordering, by its commands and by what the other contexts tell, and what it tells them."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from pytest_django import Settings

from integration.contracts import IntegrationEvent
from integration.contracts import billing as from_billing
from integration.contracts import fulfillment as from_fulfillment
from integration.contracts import inventory as from_inventory
from integration.contracts import ordering as to_others
from integration.contracts.billing import TEST_METHODS
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.errors import NotFound, StaleVersion, UnacceptableInput
from integration.domain.identifiers import (
    BuyerId,
    OrderNumber,
    PaymentId,
    PaymentMethodId,
    RefundId,
    ShipmentId,
    Sku,
)
from integration.domain.money import Money
from integration.domain.states import NotAllowed
from integration.messaging import routines as routines_module
from integration.messaging.models import Delivery, Message
from ordering import commands, queries
from ordering.commands import (
    NotOnSale,
    SkuTaken,
    UnknownPaymentMethod,
    UnknownSku,
    UsernameTaken,
    WeakPassword,
)
from ordering.models import (
    Availability,
    Buyer,
    CancellationReason,
    Order,
    PriceOutOfBounds,
    Product,
    QuantityOutOfBounds,
    TooManyLines,
)

pytestmark = pytest.mark.django_db

MUG, LAMP = Sku("MUG"), Sku("LAMP")
VISA = PaymentMethodId("pm_card_visa")
SHIPMENT, PAYMENT, REFUND = ShipmentId("S-1-1"), PaymentId("P-1-1"), RefundId("F-1-1")

PublishAll = Callable[..., None]
Published = Callable[..., list[IntegrationEvent]]


@pytest.fixture
def goods() -> None:
    commands.list_products([(MUG, "Mug", "Blue", Money("12.50", "USD")), (LAMP, "Lamp", "", Money("80", "USD"))])


@pytest.fixture
def place(goods: None, address: Address) -> Callable[..., Order]:
    def order(*lines: tuple[Sku, int], buyer: str = "B-1", method: str = VISA) -> Order:
        return commands.place_order(BuyerId(buyer), lines or [(MUG, 2), (LAMP, 1)], address, PaymentMethodId(method))

    return order


@pytest.fixture
def hear(publish_all: PublishAll, drain: Callable[..., int]) -> PublishAll:
    """Let ordering hear what others tell; nobody else does anything."""

    def listen(*events: IntegrationEvent) -> None:
        publish_all(*events)
        drain("ordering")

    return listen


@pytest.fixture
def order(place: Callable[..., Order]) -> OrderNumber:
    return OrderNumber(place().number)


@pytest.fixture
def confirmed(order: OrderNumber, hear: PublishAll) -> OrderNumber:
    hear(from_inventory.StockReserved(order), from_billing.PaymentSucceeded(order, PAYMENT, Money("105", "USD")))
    return order


@pytest.fixture
def shipped(confirmed: OrderNumber, hear: PublishAll) -> OrderNumber:
    hear(_dispatched(confirmed))
    return confirmed


def _dispatched(order: OrderNumber) -> from_fulfillment.ShipmentDispatched:
    lines = (from_fulfillment.PackedLine(MUG, 2), from_fulfillment.PackedLine(LAMP, 1))
    return from_fulfillment.ShipmentDispatched(order, SHIPMENT, "DHL", "JD0143", lines)


def _status(order: OrderNumber) -> str:
    return queries.order(order).status


# --- Products ---


def test_a_product_is_listed_and_the_others_hear_of_it(told: Published) -> None:
    commands.list_product(MUG, "Mug", "Blue", Money("12.50", "USD"))

    product = Product.objects.get()
    assert (product.sku, product.price, product.on_sale) == (MUG, Money("12.50", "USD"), True)
    assert product.availability == Availability.OUT_OF_STOCK
    assert told(to_others.ProductListed) == [to_others.ProductListed(MUG, "Mug")]


def test_a_sku_is_listed_once(goods: None) -> None:
    with pytest.raises(SkuTaken):
        commands.list_product(MUG, "Other mug", "", Money("1", "USD"))

    assert Product.objects.get(pk=MUG).name == "Mug"


def test_many_products_are_listed_passing_over_those_there_are(goods: None) -> None:
    new = commands.list_products(
        [(MUG, "Other mug", "", Money("1", "USD")), (Sku("PEN"), "Pen", "", Money("1", "USD"))]
    )

    assert new == 1
    assert dict(Product.objects.values_list("sku", "name")) == {"MUG": "Mug", "LAMP": "Lamp", "PEN": "Pen"}


@pytest.mark.parametrize("price", ["0", "-0.01", "10000000.01"])
def test_a_price_is_more_than_nothing_and_not_absurd(price: str) -> None:
    with pytest.raises(PriceOutOfBounds):
        commands.list_product(MUG, "Mug", "", Money(price, "USD"))

    assert not Product.objects.exists()


def test_a_product_is_changed_only_in_the_version_somebody_read(goods: None) -> None:
    commands.change_product(MUG, {"name": "Cup"}, if_version={1})

    with pytest.raises(StaleVersion):
        commands.change_product(MUG, {"name": "Beaker"}, if_version={1})

    assert Product.objects.get(pk=MUG).name == "Cup"


def test_a_change_that_changes_nothing_is_no_event(goods: None) -> None:
    commands.change_product(MUG, {"name": "Mug", "price": Money("12.5", "USD")})

    assert Product.objects.get(pk=MUG).version == 1


def test_an_unknown_product_is_not_changed() -> None:
    with pytest.raises(NotFound):
        commands.change_product(MUG, {"name": "Cup"})


def test_products_show_what_inventory_said_last_whatever_order_it_is_heard_in(goods: None, hear: PublishAll) -> None:
    said = [
        (from_inventory.StockReplenished(MUG, 50, 3), "in_stock"),
        (from_inventory.StockRanOut(MUG, 9), "out_of_stock"),
        (from_inventory.StockRanLow(MUG, 2, 7), "out_of_stock"),
        (from_inventory.StockReplenished(MUG, 50, 5), "out_of_stock"),
        (from_inventory.StockRanOut(MUG, 9), "out_of_stock"),
        (from_inventory.StockRanLow(MUG, 4, 12), "low_stock"),
    ]
    for message, shown in said:
        hear(message)
        assert Product.objects.get(pk=MUG).availability == shown


def test_stock_of_what_was_never_for_sale_is_no_business_of_orderings(hear: PublishAll) -> None:
    hear(from_inventory.StockRanLow(Sku("SECRET"), 2, 7))

    assert set(Delivery.objects.values_list("status", flat=True)) == {"done"}
    assert not Product.objects.exists()


# --- Buyers ---


def test_a_customer_registers_and_can_log_in() -> None:
    buyer = commands.register_customer("ada", "correct horse battery", "Ada", "ada@example.org")

    user = get_user_model().objects.get()
    assert buyer.id == f"U-{user.pk}"
    assert (user.username, user.email) == ("ada", "ada@example.org")
    assert user.check_password("correct horse battery")
    assert Buyer.objects.get().user_id == user.pk


def test_a_name_is_taken_once() -> None:
    commands.register_customer("ada", "correct horse battery", "Ada", "ada@example.org")

    with pytest.raises(UsernameTaken):
        commands.register_customer("ada", "another horse battery", "Ada", "other@example.org")

    assert Buyer.objects.count() == get_user_model().objects.count() == 1


def test_a_weak_password_is_refused(settings: Settings) -> None:
    settings.AUTH_PASSWORD_VALIDATORS = [
        {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    ]
    with pytest.raises(WeakPassword) as refusal:
        commands.register_customer("ada", "short", "Ada", "ada@example.org")

    assert refusal.value.pointer == "/password"
    assert not get_user_model().objects.exists()


def test_a_buyer_changes_some_of_their_profile(address: Address) -> None:
    buyer = commands.register_customer("ada", "correct horse battery", "Ada", "ada@example.org")
    commands.change_profile(BuyerId(buyer.id), {"default_shipping_address": address})
    commands.change_profile(BuyerId(buyer.id), {"locale": "de"}, if_version={2})

    known = queries.buyer(BuyerId(buyer.id))
    assert (known.name, known.email, known.locale) == ("Ada", "ada@example.org", "de")
    assert Address(**known.default_shipping_address) == address
    with pytest.raises(StaleVersion):
        commands.change_profile(BuyerId(buyer.id), {"locale": "fr"}, if_version={2})


def test_whoever_orders_first_becomes_a_buyer(place: Callable[..., Order]) -> None:
    place(buyer="B-7")
    place(buyer="B-7")

    assert [(buyer.id, buyer.user_id, buyer.spend) for buyer in Buyer.objects.all()] == [
        ("B-7", None, Money.zero("USD"))
    ]


def test_a_user_who_orders_first_is_known_by_name_and_address(place: Callable[..., Order]) -> None:
    user = get_user_model().objects.create_user("ada", "ada@example.org", "x", first_name="Ada", last_name="Lovelace")

    place(buyer=f"U-{user.pk}")

    buyer = Buyer.objects.get()
    assert (buyer.user_id, buyer.name, buyer.email) == (user.pk, "Ada Lovelace", "ada@example.org")


# --- Placing ---


def test_an_order_is_placed_and_the_others_hear_all_they_need(place: Callable[..., Order], told: Published) -> None:
    order = place()

    assert told(to_others.OrderPlaced) == [
        to_others.OrderPlaced(
            order=OrderNumber(order.number),
            buyer=BuyerId("B-1"),
            payment_method=VISA,
            lines=(
                to_others.OrderedLine(MUG, "Mug", 2, Money("12.50", "USD")),
                to_others.OrderedLine(LAMP, "Lamp", 1, Money("80", "USD")),
            ),
            discount=Money.zero("USD"),
            total=Money("105", "USD"),
        )
    ]


def test_no_address_and_no_mail_leave_ordering_with_a_placed_order(
    place: Callable[..., Order], address: Address
) -> None:
    buyer = commands.register_customer("ada", "correct horse battery", "Ada", "ada@example.org")
    place(buyer=buyer.id)

    told = str(Message.objects.values_list("data", flat=True))
    for private in (address.recipient, address.street, address.postal_code, "ada@example.org"):
        assert private not in told


def test_an_order_has_a_deadline_for_its_money(place: Callable[..., Order], settings: Settings) -> None:
    settings.PAYMENT_DEADLINE = timedelta(minutes=7)

    before = clock.now()
    due_at = place().payment_due_at

    assert before <= due_at - timedelta(minutes=7) <= clock.now()


def test_the_same_sku_named_twice_is_one_line(place: Callable[..., Order]) -> None:
    order = place((MUG, 1), (LAMP, 1), (MUG, 2))

    assert [(line.sku, line.quantity) for line in queries.order(OrderNumber(order.number)).lines] == [
        ("MUG", 3),
        ("LAMP", 1),
    ]


def test_all_that_is_wrong_is_told_at_once_and_where(place: Callable[..., Order]) -> None:
    commands.change_product(LAMP, {"on_sale": False})

    with pytest.raises(UnacceptableInput) as refusal:
        place((MUG, 1), (Sku("NO-SUCH"), 1), (LAMP, 1), method="pm_card_chargeback")

    assert [(type(error), error.pointer) for error in refusal.value.errors] == [
        (UnknownSku, "/lines/1/sku"),
        (NotOnSale, "/lines/2/sku"),
        (UnknownPaymentMethod, "/payment_method"),
    ]
    assert not Order.objects.exists()
    assert not Message.objects.filter(name="ordering.order-placed").exists()


@pytest.mark.parametrize("quantity", [0, -1, 100_001, 10**9])
def test_a_quantity_out_of_bounds_is_refused_and_nothing_changed(place: Callable[..., Order], quantity: int) -> None:
    with pytest.raises(QuantityOutOfBounds):
        place((MUG, quantity))

    assert not Order.objects.exists()
    assert not Buyer.objects.exists()


def test_the_same_sku_twice_may_add_up_to_too_many(place: Callable[..., Order]) -> None:
    with pytest.raises(QuantityOutOfBounds):
        place((MUG, 60_000), (MUG, 60_000))


def test_an_order_of_nothing_is_refused(goods: None, address: Address) -> None:
    with pytest.raises(TooManyLines):
        commands.place_order(BuyerId("B-1"), [], address, VISA)


@pytest.mark.parametrize("method", sorted(TEST_METHODS))
def test_every_test_method_may_be_named(place: Callable[..., Order], method: str) -> None:
    assert place(method=method).payment_method == method


# --- What the others tell ---


def test_reserved_goods_make_an_order_wait_for_its_money(order: OrderNumber, hear: PublishAll) -> None:
    hear(from_inventory.StockReserved(order))

    assert _status(order) == "payment_pending"


def test_missing_goods_cancel_an_order(order: OrderNumber, hear: PublishAll, told: Published) -> None:
    hear(from_inventory.StockReservationFailed(order, (from_inventory.Shortage(MUG, 2, 1),)))

    assert queries.order(order).cancellation_reason == CancellationReason.OUT_OF_STOCK
    assert told(to_others.OrderCancelled) == [to_others.OrderCancelled(order, "out_of_stock")]


def test_a_declined_card_cancels_an_order(order: OrderNumber, hear: PublishAll, told: Published) -> None:
    hear(from_inventory.StockReserved(order), from_billing.PaymentFailed(order, PAYMENT, "insufficient_funds"))

    cancelled = queries.order(order)
    assert (cancelled.cancellation_reason, cancelled.note) == ("payment_failed", "insufficient_funds")
    assert told(to_others.OrderCancelled) == [to_others.OrderCancelled(order, "payment_failed")]


def test_money_confirms_an_order_and_it_is_to_be_sent(
    confirmed: OrderNumber, told: Published, address: Address
) -> None:
    assert _status(confirmed) == "confirmed"
    assert queries.order(confirmed).paid == Money("105", "USD")
    assert told(to_others.OrderConfirmed) == [to_others.OrderConfirmed(confirmed)]
    assert told(to_others.ShippingRequested) == [
        to_others.ShippingRequested(
            order=confirmed,
            recipient=address,
            lines=(to_others.LineToShip(MUG, "Mug", 2), to_others.LineToShip(LAMP, "Lamp", 1)),
        )
    ]


def test_money_that_comes_before_the_goods_waits_for_them(
    order: OrderNumber, hear: PublishAll, drain: Callable[..., int], later: Callable[[timedelta], None]
) -> None:
    hear(from_billing.PaymentSucceeded(order, PAYMENT, Money("105", "USD")))
    assert _status(order) == "pending"

    hear(from_inventory.StockReserved(order))
    later(timedelta(seconds=1))
    drain("ordering")

    assert _status(order) == "confirmed"


def test_the_wrong_amount_confirms_nothing(order: OrderNumber, hear: PublishAll) -> None:
    hear(from_inventory.StockReserved(order), from_billing.PaymentSucceeded(order, PAYMENT, Money("104", "USD")))

    assert _status(order) == "payment_pending"
    failed = Delivery.objects.get(consumer="ordering.confirm-paid-order")
    assert (failed.status, failed.attempts) == ("pending", 1)
    assert failed.error.startswith("AmountMismatch")


def test_money_for_a_cancelled_order_is_noted_and_the_order_stays_cancelled(
    order: OrderNumber, hear: PublishAll, told: Published
) -> None:
    commands.cancel_order(order, CancellationReason.BY_BUYER)
    hear(from_billing.PaymentSucceeded(order, PAYMENT, Money("105", "USD")))
    hear(from_billing.RefundIssued(order, REFUND, Money("105", "USD"), Money("105", "USD")))

    told_again = queries.order(order)
    assert (told_again.status, told_again.payment_status) == ("cancelled", "refunded")
    assert told(to_others.OrderConfirmed) == []


def test_goods_on_their_way_and_goods_that_arrived_are_noted(shipped: OrderNumber, hear: PublishAll) -> None:
    assert _status(shipped) == "shipped"
    assert [line.shipped for line in queries.order(shipped).lines] == [2, 1]

    hear(from_fulfillment.ShipmentDelivered(shipped, SHIPMENT))

    assert _status(shipped) == "delivered"


def test_goods_that_arrive_before_they_leave_are_waited_for(
    confirmed: OrderNumber, hear: PublishAll, drain: Callable[..., int], later: Callable[[timedelta], None]
) -> None:
    hear(from_fulfillment.ShipmentDelivered(confirmed, SHIPMENT))
    assert _status(confirmed) == "confirmed"

    hear(_dispatched(confirmed))
    later(timedelta(seconds=1))
    drain("ordering")

    assert _status(confirmed) == "delivered"


def test_what_is_told_about_an_unknown_order_is_a_failure_of_that_message_alone(
    order: OrderNumber, hear: PublishAll
) -> None:
    hear(from_inventory.StockReserved(OrderNumber("R-0")), from_inventory.StockReserved(order))

    assert _status(order) == "payment_pending"
    assert Delivery.objects.get(message__data__order="R-0", context="ordering").error.startswith("NotFound")


# --- Cancelling ---


@pytest.mark.parametrize("reason", [CancellationReason.BY_BUYER, CancellationReason.BY_OPERATOR])
def test_an_order_is_cancelled_before_it_is_paid(
    order: OrderNumber, told: Published, reason: CancellationReason
) -> None:
    commands.cancel_order(order, reason, "no longer")

    cancelled = queries.order(order)
    assert (cancelled.status, cancelled.cancellation_reason, cancelled.note) == ("cancelled", reason, "no longer")
    assert told(to_others.OrderCancelled) == [to_others.OrderCancelled(order, reason.value)]
    assert told(to_others.OrderCancellationRequested) == []


def test_a_confirmed_order_waits_for_fulfillments_word(
    confirmed: OrderNumber, hear: PublishAll, told: Published
) -> None:
    commands.cancel_order(confirmed, CancellationReason.BY_BUYER, "no longer")
    assert _status(confirmed) == "confirmed"
    assert told(to_others.OrderCancellationRequested) == [to_others.OrderCancellationRequested(confirmed, "by_buyer")]
    assert told(to_others.OrderCancelled) == []

    hear(from_fulfillment.ShipmentCancelled(confirmed, SHIPMENT, "by_buyer"))

    assert (_status(confirmed), queries.order(confirmed).note) == ("cancelled", "no longer")
    assert told(to_others.OrderCancelled) == [to_others.OrderCancelled(confirmed, "by_buyer")]


def test_fulfillment_may_refuse(confirmed: OrderNumber, hear: PublishAll) -> None:
    commands.cancel_order(confirmed, CancellationReason.BY_BUYER)
    hear(from_fulfillment.CancellationRefused(confirmed, SHIPMENT), _dispatched(confirmed))

    assert (_status(confirmed), queries.order(confirmed).cancellation_requested) == ("shipped", False)


def test_a_shipped_order_is_not_cancelled(shipped: OrderNumber) -> None:
    with pytest.raises(NotAllowed):
        commands.cancel_order(shipped, CancellationReason.BY_OPERATOR)


def test_an_order_is_cancelled_only_in_the_version_somebody_read(order: OrderNumber) -> None:
    with pytest.raises(StaleVersion):
        commands.cancel_order(order, CancellationReason.BY_BUYER, if_version={2})

    assert _status(order) == "pending"


def test_an_unknown_order_is_not_cancelled() -> None:
    with pytest.raises(NotFound):
        commands.cancel_order(OrderNumber("R-0"), CancellationReason.BY_BUYER)


# --- Time ---


def _look_for_overdue_orders() -> None:
    routines_module.routines.get("ordering.cancel-overdue-orders").run()


def test_an_order_whose_money_is_overdue_is_cancelled(
    place: Callable[..., Order], hear: PublishAll, settings: Settings, later: Callable[[timedelta], None]
) -> None:
    pending, waiting = OrderNumber(place().number), OrderNumber(place().number)
    hear(from_inventory.StockReserved(waiting))

    later(settings.PAYMENT_DEADLINE - timedelta(seconds=5))
    _look_for_overdue_orders()
    assert (_status(pending), _status(waiting)) == ("pending", "payment_pending")

    later(timedelta(seconds=10))
    young = OrderNumber(place().number)
    _look_for_overdue_orders()
    _look_for_overdue_orders()
    assert {queries.order(number).cancellation_reason for number in (pending, waiting)} == {"payment_timeout"}
    assert _status(young) == "pending"


def test_a_paid_order_has_no_deadline_any_more(
    confirmed: OrderNumber, settings: Settings, later: Callable[[timedelta], None]
) -> None:
    later(settings.PAYMENT_DEADLINE + timedelta(days=1))
    _look_for_overdue_orders()

    assert _status(confirmed) == "confirmed"


# --- Letters ---


@pytest.fixture
def ada(place: Callable[..., Order]) -> OrderNumber:
    """An order of somebody who left an address for letters."""
    commands.register_customer("ada", "correct horse battery", "Ada", "ada@example.org")
    return OrderNumber(place(buyer=Buyer.objects.get().id).number)


def _subjects() -> list[str]:
    return [letter.subject for letter in mail.outbox]


def test_a_buyer_is_told_what_becomes_of_their_order(ada: OrderNumber, hear: PublishAll) -> None:
    hear(from_inventory.StockReserved(ada), from_billing.PaymentSucceeded(ada, PAYMENT, Money("105", "USD")))
    hear(_dispatched(ada))

    assert _subjects() == [f"Your order {ada} is confirmed", f"Your order {ada} is on its way (S-1-1)"]
    assert {tuple(letter.to) for letter in mail.outbox} == {("ada@example.org",)}
    assert "JD0143" in mail.outbox[1].body


def test_a_buyer_is_told_why_an_order_was_cancelled_and_of_the_refund(
    ada: OrderNumber, hear: PublishAll, drain: Callable[..., int]
) -> None:
    commands.cancel_order(ada, CancellationReason.BY_BUYER)
    hear(from_billing.PaymentSucceeded(ada, PAYMENT, Money("105", "USD")))
    hear(from_billing.RefundIssued(ada, REFUND, Money("105", "USD"), Money("105", "USD")))

    assert _subjects() == [f"Your order {ada} is cancelled", f"Your order {ada} is refunded (F-1-1)"]
    assert "you asked us to" in mail.outbox[0].body


def test_a_letter_sent_twice_is_recognised_as_the_same(ada: OrderNumber) -> None:
    with commands.letters_about([ada]) as letters:
        commands.write_to_buyer(letters, ada, "Your order", "It is there.")
        commands.write_to_buyer(letters, ada, "Your order", "It is there.")
        commands.write_to_buyer(letters, ada, "Your other letter", "It is there.")

    keys = [letter.extra_headers["Message-ID"] for letter in mail.outbox]
    assert keys[0] == keys[1] != keys[2]


def test_whoever_wants_no_letters_gets_none(ada: OrderNumber, hear: PublishAll) -> None:
    commands.change_profile(BuyerId(Buyer.objects.get().id), {"email_notifications": False})
    commands.cancel_order(ada, CancellationReason.BY_BUYER)
    hear()

    assert _subjects() == []


def test_whoever_left_no_address_gets_no_letters(confirmed: OrderNumber) -> None:
    assert _subjects() == []
