"""REST views of vouchers, for staff."""

from decimal import Decimal
from typing import Any, ClassVar

import django_filters
from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from integration.domain.money import Money
from integration.rest.etags import CHANGING, ETAG, LOCATION, READING, etag, versions_expected
from integration.rest.fields import Choice, CodeField, Input, MomentField, MoneyField, Text, WholeNumber, YesNo
from integration.rest.filters import MomentFilter, YesNoFilter
from integration.rest.idempotency import idempotent
from integration.rest.views import View, represent, staff_with
from ordering import commands
from ordering.models import MAX_CLAIMS, Voucher
from ordering.pricing.asked import VoucherKind
from ordering.queries import vouchers as queries

KINDS = [(kind.value, kind.value) for kind in VoucherKind]
A_PERCENTAGE = {"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,3})?$", "examples": ["12.5"]}
AN_AMOUNT = {"$ref": "#/components/schemas/Money"}


@extend_schema_field({"oneOf": [A_PERCENTAGE, AN_AMOUNT]})
class ValueField(serializers.Field):
    """What a voucher takes off: a percentage as a decimal string, an amount of money, or null for the shipping."""

    default_error_messages = {
        "invalid": "This must be a percentage as a decimal string, such as 12.5, an amount of money, or null."
    }

    def to_internal_value(self, data: Any) -> Decimal | Money:
        if isinstance(data, dict):
            return MoneyField().run_validation(data)
        if not isinstance(data, str) or len(data) > 7:
            self.fail("invalid")
        whole, _, fraction = data.partition(".")
        if not all(part.isascii() and part.isdigit() for part in (whole, fraction or "0")) or data.endswith("."):
            self.fail("invalid")
        return Decimal(data)

    def to_representation(self, value: Decimal | Money) -> Any:
        return MoneyField().to_representation(value) if isinstance(value, Money) else f"{value.normalize():f}"


class VoucherChanges(Input):
    """Changes to a voucher for new orders; a field that is left out stays as it is."""

    name = Text(max_length=100, required=False, help_text="What buyers read; by default the code.")
    kind = Choice(KINDS, required=False)
    value = ValueField(required=False, allow_null=True)
    minimum = MoneyField(required=False, allow_null=True, help_text="The lowest subtotal for which it is valid.")
    valid_from = MomentField(required=False, allow_null=True)
    valid_until = MomentField(required=False, allow_null=True)
    limit = WholeNumber(
        min_value=1,
        max_value=MAX_CLAIMS,
        required=False,
        allow_null=True,
        help_text="How many orders may use it. A voucher without any limit never gets one, and the reverse.",
    )
    limit_per_buyer = WholeNumber(
        min_value=1,
        max_value=MAX_CLAIMS,
        required=False,
        allow_null=True,
        help_text="How many orders of one buyer may use it. Guests are counted by their e-mail address.",
    )
    exclusive = YesNo(required=False, help_text="Whether it allows no other discount.")


class VoucherInput(VoucherChanges):
    """A voucher to create."""

    code = CodeField(help_text="What buyers enter, in any case.")
    kind = Choice(KINDS)


class VoucherOutput(serializers.Serializer):
    """A voucher with its terms, and how many orders use it."""

    code = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=KINDS)
    value = ValueField(allow_null=True)
    minimum = MoneyField(allow_null=True)
    valid_from = serializers.DateTimeField(allow_null=True)
    valid_until = serializers.DateTimeField(allow_null=True)
    limit = serializers.IntegerField(allow_null=True)
    limit_per_buyer = serializers.IntegerField(allow_null=True)
    exclusive = serializers.BooleanField()
    held = serializers.IntegerField(help_text="How many orders that are not confirmed yet use it.")
    redeemed = serializers.IntegerField(help_text="How many confirmed orders use it.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class VoucherFilter(django_filters.FilterSet):
    """Filters of the voucher list."""

    kind = django_filters.ChoiceFilter(choices=KINDS)
    exclusive = YesNoFilter(field_name="exclusive")
    valid_at = MomentFilter(method="filter_valid_at", help_text="Vouchers that are valid at this moment.")

    def filter_valid_at(self, vouchers: QuerySet[Voucher], name: str, moment: Any) -> QuerySet[Voucher]:
        begun = Q(valid_from__isnull=True) | Q(valid_from__lte=moment)
        return vouchers.filter(begun, Q(valid_until__isnull=True) | Q(valid_until__gt=moment))


class VoucherView(View):
    """A base view of vouchers: staff see them with one permission and change them with another."""

    changes_with: ClassVar[str]

    def get_permissions(self) -> list[Any]:
        permission = "ordering.view_voucher" if self.request.method in SAFE_METHODS else self.changes_with
        return [staff_with(permission)()]

    def get_queryset(self) -> QuerySet[Voucher]:
        return queries.vouchers()

    def respond(self, voucher: Voucher, status: int = 200, **headers: str) -> Response:
        """The response with one voucher. Its counts are part of the ETag."""
        uses = queries.show_uses([voucher])[voucher.code]
        tag = etag(voucher) if voucher.is_limited else etag(voucher, *uses)
        return Response(represent(VoucherOutput, voucher), status=status, headers={**tag, **headers})


class Vouchers(VoucherView):
    """The list of vouchers."""

    changes_with = "ordering.add_voucher"
    filterset_class = VoucherFilter
    serializer_class = VoucherInput
    orderings: ClassVar = ("code", "-code", "created_at", "-created_at")

    @extend_schema(responses=VoucherOutput(many=True))
    def get(self, request: Request) -> Response:
        """List vouchers (staff)."""
        page = self.page_of(self.get_queryset())
        queries.show_uses(page)
        return self.get_paginated_response([represent(VoucherOutput, voucher) for voucher in page])

    @extend_schema(request=VoucherInput, responses={201: VoucherOutput}, parameters=[ETAG, LOCATION])
    @idempotent
    def post(self, request: Request) -> Response:
        """Create a voucher (staff)."""
        data = self.valid(request)
        voucher = commands.create_voucher(data.pop("code"), data)
        return self.respond(voucher, 201, Location=reverse("voucher", [voucher.code], request=request))


class OneVoucher(VoucherView):
    """One voucher."""

    changes_with = "ordering.change_voucher"
    serializer_class = VoucherChanges

    @extend_schema(responses=VoucherOutput, parameters=READING)
    def get(self, request: Request, code: str) -> Response:
        """Retrieve a voucher (staff)."""
        return self.respond(queries.voucher(code))

    @extend_schema(request=VoucherChanges, responses=VoucherOutput, parameters=CHANGING)
    def patch(self, request: Request, code: str) -> Response:
        """Change a voucher for new orders (staff).

        Orders that use it stay as they are.
        """
        return self.respond(commands.change_voucher(code, self.valid(request), versions_expected(request)))
