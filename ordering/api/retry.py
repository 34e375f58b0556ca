"""REST view that pays an order with another method, after its payment failed."""

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from integration.domain.identifiers import OrderNumber, PaymentMethodId
from integration.rest.etags import CHANGING, etag, versions_expected
from integration.rest.fields import Input, Text
from integration.rest.guests import FOR_GUESTS
from integration.rest.idempotency import idempotent
from ordering import commands
from ordering.api.cancellation import MayCancel
from ordering.api.orders import OrderOutput, OrderView, represent_orders


class AnotherPayment(Input):
    """The payment method to try: one that the buyer keeps, or a token of the provider."""

    payment_method = Text(max_length=80, help_text="A payment method of the buyer, or a token of the provider.")


class Payments(OrderView):
    """The payments of an order."""

    authentication_classes = FOR_GUESTS
    permission_classes = (IsAuthenticated, MayCancel)
    serializer_class = AnotherPayment

    @extend_schema(request=AnotherPayment, responses={202: OrderOutput}, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, number: str) -> Response:
        """Try another payment method.

        This is possible after the payment failed, while the order still waits (`payment.retry_until`). Where the shop
        does not allow it, an order whose payment failed is cancelled at once.
        """
        wanted = self.valid(request)
        self.check_object_permissions(request, self.order(number))
        method = PaymentMethodId(wanted["payment_method"])
        order = commands.try_another_payment(OrderNumber(number), method, versions_expected(request))
        return Response(represent_orders([order])[0], status=202, headers=etag(order))
