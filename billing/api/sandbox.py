"""REST view that plays the buyer and their bank, where the sandbox is the payment provider. For staff."""

from typing import get_args

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from billing import commands, queries
from billing.api.outputs import InvoicePaymentOutput
from billing.gateways.sandbox.adapter import adapter
from billing.gateways.sandbox.courses import Play
from integration.domain.identifiers import PaymentId
from integration.domain.metadata import join_story
from integration.rest.etags import etag
from integration.rest.fields import EmptyInput
from integration.rest.idempotency import idempotent
from integration.rest.views import View, staff_with

SANDBOX = "sandbox"


class SandboxPayment(View):
    """What in life the buyer does, or their bank."""

    permission_classes = (staff_with("billing.change_payment"),)
    serializer_class = EmptyInput

    @extend_schema(
        request=EmptyInput,
        responses=InvoicePaymentOutput,
        parameters=[OpenApiParameter("what", str, OpenApiParameter.PATH, enum=get_args(Play))],
    )
    @idempotent
    def post(self, request: Request, id: str, what: Play) -> Response:
        """Play the buyer or their bank, where the sandbox is the payment provider.

        Its callback is processed at once, as one that arrives over the network.
        """
        self.valid(request)
        if settings.PAYMENT_PROVIDER != SANDBOX or what not in get_args(Play):
            raise NotFound
        payment = queries.payment(PaymentId(id))
        join_story(payment.correlation_id)
        try:
            changed = adapter.play(payment.idempotency_key, what)
        except ObjectDoesNotExist:
            raise NotFound("The sandbox was not asked for this payment yet.") from None
        body, headers = adapter.call_back(changed.key)
        commands.note_call_back(SANDBOX, adapter.read_call_back(body, headers))
        payment = commands.payment_now(PaymentId(id))
        return Response(InvoicePaymentOutput(payment).data, headers=etag(payment))
