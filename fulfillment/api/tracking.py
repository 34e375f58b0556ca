"""REST views of shipments on their way: what operators say about them, and what they decide."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from fulfillment import commands
from fulfillment.api.shipments import ShipmentOutput, represent
from fulfillment.models import RESOLUTIONS
from integration.domain.identifiers import ShipmentId
from integration.rest.etags import CHANGING, versions_expected
from integration.rest.fields import Choice, Input, Text
from integration.rest.idempotency import idempotent
from integration.rest.views import View, staff_with


class ReasonInput(Input):
    """A reason, in the words of the operator."""

    reason = Text(max_length=500, required=False, allow_blank=True)


class Report(View):
    """A base view for what an operator says about a shipment; its `command` records it."""

    permission_classes = (staff_with("fulfillment.change_shipment"),)
    serializer_class = ReasonInput
    command: ClassVar[Any]

    def report(self, request: Request, id: str) -> Response:
        reason = self.valid(request).get("reason", "")
        return represent(request, type(self).command(ShipmentId(id), reason, versions_expected(request)))


class Deliver(Report):
    """The delivery of a shipment."""

    command = staticmethod(commands.deliver_shipment)

    @extend_schema(request=ReasonInput, responses=ShipmentOutput, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, id: str) -> Response:
        """Record that the recipient received the shipment. This is possible even if it was taken for lost."""
        return self.report(request, id)


class Fail(Report):
    """A delivery that failed."""

    command = staticmethod(commands.fail_shipment)

    @extend_schema(request=ReasonInput, responses=ShipmentOutput, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, id: str) -> Response:
        """Record that the carrier could not deliver the shipment. It may try again."""
        return self.report(request, id)


class ReturnToSender(Report):
    """The return of a shipment that could not be delivered."""

    command = staticmethod(commands.return_to_sender)

    @extend_schema(request=ReasonInput, responses=ShipmentOutput, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, id: str) -> Response:
        """Record that the carrier brought the shipment back. A person then decides what becomes of the goods."""
        return self.report(request, id)


class Lose(Report):
    """The loss of a shipment."""

    command = staticmethod(commands.lose_shipment)

    @extend_schema(request=ReasonInput, responses=ShipmentOutput, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, id: str) -> Response:
        """Record that the carrier lost the shipment. A person then decides what becomes of the order."""
        return self.report(request, id)


class ResolveInput(Input):
    """What becomes of the goods: `refund`, or `send_again` with another order that costs nothing."""

    locals()["as"] = Choice(choices=RESOLUTIONS)  # a field named by a keyword of Python


class Resolve(View):
    """The decision about a shipment that is lost or came back."""

    permission_classes = (staff_with("fulfillment.change_shipment"),)
    serializer_class = ResolveInput

    @extend_schema(request=ResolveInput, responses=ShipmentOutput, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, id: str) -> Response:
        """Decide about a shipment that is lost or came back. The first decision counts; a second one is a 409."""
        resolution = self.valid(request)["as"]
        return represent(request, commands.resolve_shipment(ShipmentId(id), resolution, versions_expected(request)))
