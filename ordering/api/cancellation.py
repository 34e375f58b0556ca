"""REST view that cancels an order, or some lines of it."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from integration.domain.identifiers import OrderNumber, Sku
from integration.rest.etags import CHANGING, etag, versions_expected
from integration.rest.fields import Input, Text
from integration.rest.guests import FOR_GUESTS
from integration.rest.idempotency import idempotent
from integration.rest.lines import lines_of
from integration.rest.views import is_staff_with
from ordering import commands
from ordering.api.caller import caller
from ordering.api.orders import OrderOutput, OrderView, represent_orders
from ordering.models import CancellationReason, Order


class Cancellation(Input):
    """The reason for a cancellation, as free text, and what to cancel: without `lines`, the whole order."""

    reason = Text(max_length=500, required=False, allow_blank=True, default="")
    lines = lines_of(required=False)


class MayCancel(BasePermission):
    """Allows the buyer of the order, and staff who may change orders."""

    message = "This requires a staff user with the permission ordering.change_order."

    def has_object_permission(self, request: Request, view: Any, order: Order) -> bool:
        return order.buyer_id == caller(request) or is_staff_with(request.user, "ordering.change_order")


class Cancel(OrderView):
    """The cancellation of an order, or of some lines of it."""

    authentication_classes = FOR_GUESTS
    permission_classes = (IsAuthenticated, MayCancel)
    serializer_class = Cancellation

    @extend_schema(request=Cancellation, responses={202: OrderOutput}, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, number: str) -> Response:
        """Request the cancellation of an order, or of some lines of it.

        An order that is not confirmed is cancelled at once. A confirmed order is cancelled if fulfillment can still
        stop its shipment. If not, the order's `cancellation_refusal` later says when and why the request was refused.

        With `lines`, only these units are cancelled, as far as they have not left; the order must be confirmed. The
        order's `cancellations` show the request, and later what became of it.
        """
        wanted = self.valid(request)
        note = wanted["reason"]
        order = self.order(number)
        self.check_object_permissions(request, order)
        is_own = order.buyer_id == caller(request)
        reason = CancellationReason.BY_BUYER if is_own else CancellationReason.BY_OPERATOR
        order_number, expected = OrderNumber(number), versions_expected(request)
        of = caller(request) if is_own else None
        if "lines" in wanted:
            lines = [(Sku(line["sku"]), line["quantity"]) for line in wanted["lines"]]
            cancelled = commands.cancel_lines(order_number, lines, reason, note, expected, of=of)
        else:
            cancelled = commands.cancel_order(order_number, reason, note, expected, of=of)
        return Response(represent_orders([cancelled])[0], status=202, headers=etag(cancelled))
