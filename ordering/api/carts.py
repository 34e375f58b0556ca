"""REST views of carts. A guest's cart is opened by its token, a buyer's by the buyer alone; any other cart is a 404."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from integration.domain.errors import NotFound
from integration.domain.identifiers import BuyerId, CartId, PaymentMethodId, Sku
from integration.domain.metadata import current_cause
from integration.rest.addresses import scope_of_address
from integration.rest.etags import CHANGING, ETAG, LOCATION, READING, etag
from integration.rest.fields import AddressField, Email, EmptyInput, Input, MoneyField, Text, WholeNumber
from integration.rest.guests import access_token
from integration.rest.idempotency import idempotent
from integration.rest.middleware import actor_of
from integration.rest.views import View, represent
from ordering import commands
from ordering.api.caller import caller
from ordering.api.cart_output import CartOutput, cart_tag, tagged_versions
from ordering.api.orders import OrderOutput
from ordering.commands.cart_prices import priced_cart
from ordering.commands.placing import TotalChanged
from ordering.models import MAX_QUANTITY, Cart
from ordering.queries import carts as queries

TOKEN = OpenApiParameter(
    "Cart-Token", {"type": "string"}, OpenApiParameter.HEADER, description="The `token` of a guest's cart."
)
OPENING = [TOKEN, *READING]
MAKING = [TOKEN, *CHANGING]


class QuantityInput(Input):
    """How many units of a product are wanted."""

    quantity = WholeNumber(min_value=1, max_value=MAX_QUANTITY)


class OptionInput(Input):
    """A shipping option; null for the cheapest."""

    id = Text(max_length=40, allow_null=True)


class CheckoutInput(Input):
    """How an order is paid, and where it goes; without an address or an option those of the cart count."""

    payment_method = Text(max_length=80, required=False, help_text="As in an order. Optional at a total of zero.")
    email = Email(max_length=254, required=False, help_text="Guests only, and required of them.")
    shipping_address = AddressField(required=False)
    shipping_option = Text(max_length=40, required=False)
    expected_total = MoneyField(
        required=False,
        help_text="What the buyer was shown. If the cart costs something else, nothing is ordered: the 409 has the "
        "cart as `cart`.",
    )


class GuestOrderOutput(OrderOutput):
    """An order. That of a guest comes with the token that opens it."""

    access_token = serializers.CharField(required=False, help_text="Guests only: a bearer token for this one order.")


class CartView(View):
    """A base view of carts."""

    permission_classes: Sequence[Any] = (AllowAny,)
    serializer_class: Any = EmptyInput

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a guest without the cart's token, before anything of the cart is looked at."""
        super().initial(request, *args, **kwargs)
        if "id" in kwargs and request.method != "OPTIONS" and self.needs_token(request):
            token, cart = request.headers.get("Cart-Token", ""), CartId(str(kwargs["id"]))
            if not commands.opens_cart(token, cart):
                raise NotFound(f"there is no cart {cart}")

    def needs_token(self, request: Request) -> bool:
        """Whether the caller must show the cart's token."""
        return self.by is None

    def get_object(self) -> Any:
        """Nothing: OPTIONS describes what a PUT takes, which is the same for every cart."""
        return None

    @property
    def by(self) -> BuyerId | None:
        """The buyer who makes the request; None for a guest."""
        return caller(self.request) if self.request.user.is_authenticated else None

    def represented(self, cart: Cart, status: int = 200) -> Response:
        """The response with a cart at today's prices."""
        data = represent(CartOutput, priced_cart(cart))
        return Response(data, status=status, headers=cart_tag(cart, data))


class Carts(CartView):
    """All carts."""

    def kind_of_request(self) -> str:
        return "cart" if getattr(self.request.user, "is_anonymous", True) else super().kind_of_request()

    def scope_of_keys(self, request: Request) -> str:
        """A guest's keys are those of their address: guests have no common scope."""
        return scope_of_address(request) if self.by is None else actor_of(request.user)

    def secrets_of(self, data: Any) -> dict[str, str]:
        return {"token": commands.cart_token(CartId(data["id"]))} if self.by is None else {}

    @extend_schema(request=EmptyInput, responses={200: CartOutput, 201: CartOutput}, parameters=[ETAG, LOCATION])
    @idempotent
    def post(self, request: Request) -> Response:
        """Open a cart.

        Everyone may. A guest gets the cart's `token`, which opens it. A buyer has at most one open cart: if there is
        one, it is the response, with status 200.
        """
        self.valid(request)
        cart, is_new = commands.open_cart(self.by)
        response = self.represented(cart, 201 if is_new else 200)
        response.headers["Location"] = reverse("cart", [cart.id], request=request)
        return response


class OneCart(CartView):
    """One cart."""

    @extend_schema(responses=CartOutput, parameters=OPENING)
    def get(self, request: Request, id: Any) -> Response:
        """Retrieve a cart at today's prices."""
        return self.represented(queries.cart(CartId(str(id)), self.by))


class CartItem(CartView):
    """A product in a cart."""

    serializer_class = QuantityInput

    @extend_schema(request=QuantityInput, responses=CartOutput, parameters=MAKING)
    def put(self, request: Request, id: Any, sku: str) -> Response:
        """Set the quantity of a product in a cart."""
        quantity, versions = self.valid(request)["quantity"], tagged_versions(request)
        return self.represented(commands.set_item(CartId(str(id)), self.by, Sku(sku), quantity, versions))

    @extend_schema(request=None, responses={200: CartOutput}, parameters=MAKING)
    def delete(self, request: Request, id: Any, sku: str) -> Response:
        """Take a product out of a cart, if it is in it."""
        return self.represented(commands.remove_item(CartId(str(id)), self.by, Sku(sku), tagged_versions(request)))


class CartAddress(CartView):
    """The shipping address of a cart."""

    serializer_class = AddressField

    @extend_schema(request=AddressField, responses=CartOutput, parameters=MAKING)
    def put(self, request: Request, id: Any) -> Response:
        """Set the shipping address of a cart, on which shipping and tax depend."""
        address: Any = self.valid(request)
        return self.represented(commands.set_address(CartId(str(id)), self.by, address, tagged_versions(request)))


class CartOption(CartView):
    """The shipping option of a cart."""

    serializer_class = OptionInput

    @extend_schema(request=OptionInput, responses=CartOutput, parameters=MAKING)
    def put(self, request: Request, id: Any) -> Response:
        """Choose one of the cart's shipping options."""
        option, versions = self.valid(request)["id"], tagged_versions(request)
        return self.represented(commands.set_shipping_option(CartId(str(id)), self.by, option, versions))


class CartVoucher(CartView):
    """A voucher that a cart names."""

    @extend_schema(request=None, responses={200: CartOutput}, parameters=MAKING)
    def put(self, request: Request, id: Any, code: str) -> Response:
        """Name a voucher in a cart.

        A voucher that does not apply stays, with the reason.
        """
        self.valid(request)
        return self.represented(commands.name_voucher(CartId(str(id)), self.by, code, tagged_versions(request)))

    @extend_schema(request=None, responses={200: CartOutput}, parameters=MAKING)
    def delete(self, request: Request, id: Any, code: str) -> Response:
        """Name a voucher in a cart no longer."""
        return self.represented(commands.drop_voucher(CartId(str(id)), self.by, code, tagged_versions(request)))


class ClaimCart(CartView):
    """The claim of a guest's cart by a buyer."""

    permission_classes = (IsAuthenticated,)

    def needs_token(self, request: Request) -> bool:
        return True

    @extend_schema(request=EmptyInput, responses=CartOutput, parameters=[TOKEN, ETAG])
    @idempotent
    def post(self, request: Request, id: Any) -> Response:
        """Take over a guest's cart, once.

        It is merged into the buyer's open cart, or becomes it. The response is that cart.
        """
        self.valid(request)
        return self.represented(commands.claim_cart(CartId(str(id)), caller(request)))


class Checkout(CartView):
    """The checkout of a cart."""

    serializer_class = CheckoutInput

    def scope_of_keys(self, request: Request) -> str:
        """A guest's keys are those of the cart: guests have no common scope."""
        return f"cart:{self.kwargs['id'].hex}" if self.by is None else actor_of(request.user)

    def secrets_of(self, data: Any) -> dict[str, str]:
        if self.by is not None or "number" not in data:
            return {}
        return {"access_token": access_token(data["number"], current_cause().correlation_id)}

    @extend_schema(request=CheckoutInput, responses={201: GuestOrderOutput}, parameters=[TOKEN, *CHANGING, LOCATION])
    @idempotent
    def post(self, request: Request, id: Any) -> Response:
        """Order what is in a cart, at today's prices, once.

        The order of a guest comes with an `access_token`. As a bearer token it opens that one order.
        """
        data, cart = self.valid(request), CartId(str(id))
        self._check_email(data)
        method = data.pop("payment_method", None)
        try:
            order = commands.check_out(
                cart, self.by, PaymentMethodId(method) if method else None, **data, if_version=tagged_versions(request)
            )
        except TotalChanged as error:
            found, wanted = queries.cart(cart, self.by), (data.get("shipping_address"), data.get("shipping_option"))
            shown = priced_cart(found, *wanted, email=data.get("email", ""))
            error.more = {"cart": represent(CartOutput, shown)}
            raise
        location = reverse("order", [order.number], request=request)
        return Response(represent(OrderOutput, order), status=201, headers={**etag(order), "Location": location})

    def _check_email(self, data: dict[str, Any]) -> None:
        if self.by is None and "email" not in data:
            raise ValidationError({"email": [ErrorDetail("This field is required of a guest.", "required")]})
        if self.by is not None and "email" in data:
            raise ValidationError({"email": [ErrorDetail("A buyer's is in their profile.", "for_guests_only")]})
