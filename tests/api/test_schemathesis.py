"""Every response to a valid or invalid request is described in the OpenAPI document, and is never a 500.

The Hypothesis profile sets the number of requests: `HYPOTHESIS_PROFILE=thorough` sends forty times as many.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from api_calls import System
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from config.wsgi import application

settings.register_profile("quick", max_examples=12, derandomize=True)
PROFILE = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = {
    found.ok().label: found.ok()
    for found in schemathesis.openapi.from_wsgi("/api/schema?format=json", application).get_all_operations()
}


@pytest.fixture
def connections_stay_open(system: System) -> Iterator[None]:
    """Keep requests from closing the connection and with it the test's transaction, as Django's test client does."""
    for signal in request_started, request_finished:
        signal.disconnect(close_old_connections)
    yield
    for signal in request_started, request_finished:
        signal.connect(close_old_connections)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
@pytest.mark.parametrize("who", ["guest", "buyer", "operator"])
@pytest.mark.parametrize("label", OPERATIONS)
@pytest.mark.usefixtures("connections_stay_open")
def test_every_response_is_described(
    label: str, who: str, mode: GenerationMode, system: System, buyer: Any, operator: Any
) -> None:
    clients = {"buyer": buyer, "operator": operator}
    headers = {"Authorization": f"Bearer {clients[who].token}"} if who in clients else {}
    operation = OPERATIONS[label]

    @settings(
        PROFILE,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=_cases(operation, mode, system))
    def send(case: Any) -> None:
        cache.clear()  # Otherwise the throttle would refuse all requests.
        case.validate_response(case.call(headers=headers), checks=CHECKS)

    send()


def _cases(operation: Any, mode: GenerationMode, system: System) -> st.SearchStrategy[Any]:
    """Requests with arbitrary path parameters and, if the path has parameters, with those of existing objects."""
    existing: dict[str, Any] = {
        "number": system.order,
        "id": system.shipment if "shipments" in operation.path else system.dead_letters[0],
        "sku": "MUG",
        "provider_name": "sandbox",
        "carrier_name": "sandbox",
        "name": "billing.collect-payment",
    }
    names = [name for name in existing if f"{{{name}}}" in operation.path]
    arbitrary = operation.as_strategy(generation_mode=mode)
    if not names:
        return arbitrary
    known = operation.as_strategy(generation_mode=mode, path_parameters={name: existing[name] for name in names})
    return st.one_of(known, arbitrary)
