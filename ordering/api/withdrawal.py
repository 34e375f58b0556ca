"""REST view with which a buyer withdraws from an order."""

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from integration.domain.identifiers import OrderNumber, Sku
from integration.rest.etags import CHANGING, etag, versions_expected
from integration.rest.fields import Email, Input, Text
from integration.rest.guests import FOR_GUESTS
from integration.rest.idempotency import idempotent
from integration.rest.lines import lines_of
from ordering import commands
from ordering.api.cancellation import MayCancel
from ordering.api.orders import OrderOutput, OrderView, represent_orders


class WithdrawalInput(Input):
    """A declaration of withdrawal: no reason is asked. Without `lines` it is about the whole order."""

    lines = lines_of(required=False)
    name = Text(max_length=200, required=False, allow_blank=True, default="")
    email = Email(max_length=254, required=False, help_text="Where to send the acknowledgement.")


class Withdraw(OrderView):
    """A buyer's withdrawal from an order."""

    authentication_classes = FOR_GUESTS
    permission_classes = (IsAuthenticated, MayCancel)
    serializer_class = WithdrawalInput

    @extend_schema(request=WithdrawalInput, responses={202: OrderOutput}, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, number: str) -> Response:
        """Withdraw from an order, without a reason.

        This is possible from placing the order until 14 days after the last delivery. It is recorded at once, and a
        letter acknowledges it. What has not left is cancelled; the rest becomes an approved return.
        """
        declared = self.valid(request)
        self.check_object_permissions(request, self.order(number))
        lines = [(Sku(line["sku"]), line["quantity"]) for line in declared["lines"]] if "lines" in declared else None
        order = commands.withdraw(
            OrderNumber(number), lines, declared["name"], declared.get("email", ""), versions_expected(request)
        )
        return Response(represent_orders([order])[0], status=202, headers=etag(order))
