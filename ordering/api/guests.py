"""REST views of the orders of guests: a buyer takes one over, and a lost link is sent again."""

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from integration.domain.identifiers import OrderNumber
from integration.rest.addresses import scope_of_address
from integration.rest.etags import ETAG, etag
from integration.rest.fields import Email, Input, Pattern, Text
from integration.rest.guests import guest_with
from integration.rest.idempotency import idempotent
from integration.rest.throttling import counted
from integration.rest.views import View
from ordering import commands
from ordering.api.caller import caller
from ordering.api.orders import OrderOutput, represent_orders

LETTERS_AN_HOUR = 5
"""How many letters with its link an order can cause. More requests have the same response, and no effect."""


class ClaimInput(Input):
    """The token that came with a guest's order."""

    access_token = Text(max_length=200)


class LookupInput(Input):
    """A guest's order, as far as they remember it."""

    number = Pattern(r"^R-[0-9]{1,18}\Z", max_length=20)
    email = Email(max_length=254)


class ClaimOrder(View):
    """The claim of a guest's order by a buyer."""

    serializer_class = ClaimInput

    @extend_schema(request=ClaimInput, responses=OrderOutput, parameters=[ETAG])
    @idempotent
    def post(self, request: Request, number: str) -> Response:
        """Take over an order that was placed as a guest, once.

        From now on it is the caller's, and the token opens nothing any more.
        """
        guest = guest_with(self.valid(request)["access_token"])
        shown = guest.buyer if guest and guest.order == number else None
        order = commands.claim_order(OrderNumber(number), shown, caller(request))
        return Response(represent_orders([order])[0], headers=etag(order))


class Lookup(View):
    """The link of a guest's order."""

    permission_classes = (AllowAny,)
    authentication_classes = ()
    serializer_class = LookupInput

    def kind_of_request(self) -> str:
        return "lookup"

    def scope_of_keys(self, request: Request) -> str:
        """The keys are those of an address: guests have no common scope."""
        return scope_of_address(request)

    @extend_schema(request=LookupInput, responses={202: None})
    @idempotent
    def post(self, request: Request) -> Response:
        """Ask for a new link to an order that was placed as a guest.

        If there is such an order, and the e-mail address is that of its guest, a letter brings the link. The response
        is the same in every case.
        """
        data = self.valid(request)
        _, before = counted(f"links:{data['number']}", 3_600)
        if before < LETTERS_AN_HOUR:
            commands.request_order_link(OrderNumber(data["number"]), data["email"])
        return Response(status=202)
