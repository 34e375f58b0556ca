"""REST views of the holds of an order, for staff."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from integration.domain.identifiers import HoldId, OrderNumber
from integration.rest.etags import CHANGING, etag, versions_expected
from integration.rest.fields import Choice, Input, Text
from integration.rest.idempotency import idempotent
from integration.rest.views import staff_with
from ordering import commands
from ordering.api.orders import OrderOutput, OrderView, represent_orders
from ordering.models import HoldReason


class HoldInput(Input):
    """Why an order is put on hold, and a note for other operators."""

    reason = Choice(choices=HoldReason.choices)
    note = Text(max_length=500, required=False, allow_blank=True, default="")


class Holds(OrderView):
    """The holds of an order."""

    permission_classes = (staff_with("ordering.change_order"),)
    serializer_class = HoldInput

    @extend_schema(request=HoldInput, responses={202: OrderOutput}, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, number: str) -> Response:
        """Put an order on hold: nothing of it is dispatched.

        The hold is `requested` until fulfillment decides. It becomes `too_late` if nothing of the order is left.
        """
        wanted = self.valid(request)
        order = commands.hold_order(
            OrderNumber(number), HoldReason(wanted["reason"]), wanted["note"], versions_expected(request)
        )
        return Response(represent_orders([order])[0], status=202, headers=etag(order))


class OneHold(OrderView):
    """One hold of an order."""

    permission_classes = (staff_with("ordering.change_order"),)

    @extend_schema(request=None, responses={202: OrderOutput}, parameters=CHANGING)
    def delete(self, request: Request, number: str, id: str) -> Response:
        """Lift a hold. A hold that was lifted before stays lifted."""
        order = commands.lift_hold(OrderNumber(number), HoldId(id), versions_expected(request))
        return Response(represent_orders([order])[0], status=202, headers=etag(order))
