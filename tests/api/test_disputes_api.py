"""Disputes and their evidence over REST, for staff of billing."""

from typing import Any

from api_calls import System, errors_of, kind_of

BASE = "/api/v1"


def test_staff_see_disputes_and_download_the_evidence(operator: Any, buyer: Any, system: System) -> None:
    (dispute,) = operator.get(f"{BASE}/disputes?status=opened").json()["results"]
    assert (dispute["id"], dispute["kind"], dispute["withdrawn"]["amount"]) == ("dp_1", "inquiry", "0.00")
    assert operator.get(f"{BASE}/disputes?order={system.order}").json()["results"] == []
    assert errors_of(operator.get(f"{BASE}/disputes?status=odd")) == {("#/status", "invalid_choice")}
    assert buyer.get(f"{BASE}/disputes").status_code == 403

    response = operator.get(f"{BASE}/disputes/dp_1/evidence")

    evidence = response.json()
    assert response.headers["Content-Disposition"] == 'attachment; filename="evidence-dp_1.json"'
    assert evidence["dispute"] == dispute
    assert evidence["invoice"]["order"] == dispute["order"]
    assert [each["order"] for each in evidence["shipments"]] == [dispute["order"]]
    assert [each["id"] for each in evidence["returns"]] == [system.requested_return]
    assert {"ordering", "billing", "fulfillment", "inventory"} == {each["context"] for each in evidence["events"]}
    assert set(evidence["events"][0]) == {"type", "context", "occurred_at", "summary"}
    assert kind_of(operator.get(f"{BASE}/disputes/dp_9/evidence")) == "not_found"
