"""A bare view: `POST /orders` in Django REST framework, as short as possible.

The view validates its input, and inserts the order and its lines in one transaction. It has no users, no idempotency
and no events.
"""

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tests.bench.baselines.orders import place


class LineInput(serializers.Serializer):
    """A line of an order: a product and a quantity."""

    sku = serializers.CharField(max_length=40)
    quantity = serializers.IntegerField(min_value=1, max_value=999)


class OrderInput(serializers.Serializer):
    """The body of a request that places an order."""

    lines = LineInput(many=True, allow_empty=False)
    shipping_address = serializers.DictField(child=serializers.CharField(max_length=200))
    payment_method = serializers.CharField(max_length=80)


class Orders(APIView):
    """The view that places orders."""

    def post(self, request: Request) -> Response:
        """Place an order."""
        wanted = OrderInput(data=request.data)
        wanted.is_valid(raise_exception=True)
        facts = wanted.validated_data
        quantities = {line["sku"]: line["quantity"] for line in facts["lines"]}
        order = place("B-1", quantities, facts["shipping_address"], facts["payment_method"])
        return Response({"number": order.pk, "status": order.status, "total_minor": order.total_minor}, status=201)
