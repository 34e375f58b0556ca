"""Whatever a client sends, right or wrong by the OpenAPI document, the answer is one it describes, and never a 500.

How much is tried is a Hypothesis profile's affair: `HYPOTHESIS_PROFILE=thorough` tries forty times as much.
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
settings.register_profile("thorough", max_examples=500)
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
    """A request does not end the test's transaction by closing its connection: as with Django's own test client."""
    for signal in request_started, request_finished:
        signal.disconnect(close_old_connections)
    yield
    for signal in request_started, request_finished:
        signal.connect(close_old_connections)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
@pytest.mark.parametrize("who", ["buyer", "operator"])
@pytest.mark.parametrize("label", OPERATIONS)
@pytest.mark.usefixtures("connections_stay_open")
def test_every_response_is_described(
    label: str, who: str, mode: GenerationMode, system: System, buyer: Any, operator: Any
) -> None:
    client = {"buyer": buyer, "operator": operator}[who]
    headers = {"Authorization": f"Bearer {client.token}"}
    operation = OPERATIONS[label]

    @settings(
        PROFILE,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=_cases(operation, mode, system))
    def try_it(case: Any) -> None:
        cache.clear()  # or the throttle would answer everything
        case.validate_response(case.call(headers=headers), checks=CHECKS)

    try_it()


def _cases(operation: Any, mode: GenerationMode, system: System) -> st.SearchStrategy[Any]:
    """Requests about anything and, where the path names something, about what there is."""
    there_is: dict[str, Any] = {
        "number": system.order,
        "id": system.shipment if "shipments" in operation.path else system.dead_letters[0],
        "sku": "MUG",
        "provider_name": "sandbox",
    }
    names = [name for name in there_is if f"{{{name}}}" in operation.path]
    anything = operation.as_strategy(generation_mode=mode)
    if not names:
        return anything
    known = operation.as_strategy(generation_mode=mode, path_parameters={name: there_is[name] for name in names})
    return st.one_of(known, anything)
