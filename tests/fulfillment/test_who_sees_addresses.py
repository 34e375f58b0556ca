"""Who may change shipments and not view them sees no address in a response."""

from collections.abc import Callable, Sequence

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from rest_framework.test import APIClient

from fulfillment.models import Shipment
from integration.domain.identifiers import OrderNumber

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("permissions", "street"),
    [(["change_shipment"], "(personal)"), (["change_shipment", "view_shipment"], "12 St James's Square")],
)
def test_the_responses_to_dispatch_and_deliver_show_the_address_only_to_viewers(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], permissions: Sequence[str], street: str
) -> None:
    placed()
    drain()
    clerk = get_user_model().objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    api = APIClient()
    api.force_authenticate(clerk)
    path = f"/api/v1/shipments/{Shipment.objects.get().pk}"
    for step, body in (("dispatch", {"carrier": "DHL", "tracking_number": "1"}), ("deliver", {})):
        response = api.post(f"{path}/{step}", body, format="json", headers={"Idempotency-Key": step})
        assert response.status_code == 200
        assert response.json()["recipient"]["street"] == street
        assert response.json()["recipient"]["country"] == "GB"
