"""Every response to a valid or invalid request is described in the OpenAPI document, and is never a 500.

On SQLite a usual run sends half as many requests as on PostgreSQL. `HYPOTHESIS_PROFILE=thorough` sends many more.
"""

import os
from typing import Any

import pytest
import schemathesis
from api_calls import System, rolled_back
from django.conf import settings as waybill
from django.core.cache import cache
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

settings.register_profile("quick", max_examples=3 if waybill.EMBEDDED else 6, derandomize=True)
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


@pytest.mark.parametrize("label", OPERATIONS)
@pytest.mark.usefixtures("requests_keep_the_connection")
def test_every_response_is_described(
    label: str, system: System, buyer: Any, operator: Any, subtests: pytest.Subtests
) -> None:
    callers: dict[str, dict[str, str]] = {
        "guest": {},
        "buyer": {"Authorization": f"Bearer {buyer.token}"},
        "operator": {"Authorization": f"Bearer {operator.token}"},
    }
    operation = OPERATIONS[label]
    may_be_invalid = [*operation.iter_parameters(), *operation.body]
    for mode in [GenerationMode.POSITIVE, *([GenerationMode.NEGATIVE] if may_be_invalid else [])]:
        for who, headers in callers.items():
            with subtests.test(f"{who}, {mode.value}"), rolled_back():
                _send_many(operation, mode, headers, system)


def _send_many(operation: Any, mode: GenerationMode, headers: dict[str, str], system: System) -> None:
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
        response = case.call(headers={"Accept-Encoding": "identity", **headers})  # it does not decompress
        case.validate_response(response, checks=CHECKS)

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
