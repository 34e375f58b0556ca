"""The OpenAPI document is valid and complete, and the API behaves as it says."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from api_calls import BASE, System, examples, routes
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView
from jsonschema import Draft202012Validator
from playwright.sync_api import sync_playwright

from tests.browser import launch

JSON, PROBLEM = "application/json", "application/problem+json"
ROUTES = [str(route) for route in routes()]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return SchemaGenerator().get_schema(request=None, public=True)


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each operation by its route in the URLconf, such as `GET orders/<number:number>`."""
    described = {
        f"{method.upper()} {path.removeprefix(BASE)}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    return {route: described.pop(re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)) for route in ROUTES} | described


def parameters_of(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {parameter["name"]: parameter for parameter in operation.get("parameters", [])}


def test_the_document_is_valid_and_generated_without_warnings(tmp_path: Path) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "openapi.yaml"))


def test_the_document_is_public_in_yaml_and_json(anonymous: Any, document: dict[str, Any]) -> None:
    as_yaml = anonymous.get("/api/schema")
    as_json = anonymous.get("/api/schema?format=json")

    assert as_yaml.status_code == as_json.status_code == 200
    assert as_yaml.headers["Content-Type"].startswith("application/vnd.oai.openapi")
    assert as_yaml.content.startswith(b"openapi: 3.1.0\n")
    assert set(as_json.json()["paths"]) == set(document["paths"])


def test_the_document_describes_exactly_the_routes_of_the_urlconf(operations: dict[str, Any]) -> None:
    assert set(operations) == set(ROUTES)


def test_every_operation_has_a_summary_and_a_success_response(operations: dict[str, Any]) -> None:
    for route, operation in operations.items():
        assert operation["summary"], route
        assert not operation["summary"].endswith("."), route
        assert any(code.startswith("2") for code in operation["responses"]), route


def test_every_operation_declares_its_authentication(operations: dict[str, Any], document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["Bearer"]["scheme"] == "bearer"
    assert list(document["components"]["securitySchemes"]) == ["Bearer", "Guest"]
    for route, operation in operations.items():
        is_public = route in {
            "POST auth/tokens",
            "POST customers",
            "GET payment-config",
            "GET products",
            "GET products/<sku:sku>",
            "POST webhooks/payments/<slug:provider_name>",
            "POST webhooks/carriers/<slug:carrier_name>",
            "POST orders/lookup",
        } or (route.partition(" ")[2].startswith("carts") and not route.endswith("/claim"))
        assert ({} in operation["security"]) == is_public, route
        assert ({"Bearer": []} in operation["security"]) or is_public, route


def test_the_problems_of_every_operation_are_described(operations: dict[str, Any]) -> None:
    for route, operation in operations.items():
        responses = operation["responses"]
        problems = {code: response for code, response in responses.items() if code >= "400"}
        assert all(list(response["content"]) == [PROBLEM] for response in problems.values()), route
        assert all("X-Correlation-Id" in response["headers"] for response in responses.values()), route
        assert ("404" in responses) == ("<" in route or route == "POST returns"), route
        assert "422" in responses, route  # an unknown query parameter
        if {"Bearer": []} in operation["security"]:
            assert "401" in responses, route
        if "requestBody" in operation:
            assert {"400", "413", "415"} <= set(responses), route
    assert "429" in operations["POST auth/tokens"]["responses"]
    assert "401" in operations["POST auth/tokens"]["responses"]
    assert "401" not in operations["POST customers"]["responses"]
    assert "403" not in operations["POST orders"]["responses"]
    assert "403" in operations["GET stock"]["responses"]


def test_every_post_except_tokens_accepts_an_idempotency_key(operations: dict[str, Any]) -> None:
    for route, operation in operations.items():
        takes_key = route.startswith("POST") and route != "POST auth/tokens"
        assert ("Idempotency-Key" in parameters_of(operation)) == takes_key, route
        assert ("409" in operation["responses"]) == (takes_key or route == "GET shipments/<number:id>/label"), route
        succeeds = next(response for code, response in operation["responses"].items() if code.startswith("2"))
        assert ("Idempotent-Replayed" in succeeds["headers"]) == takes_key, route


def test_versioned_resources_document_their_etag_headers(operations: dict[str, Any]) -> None:
    read = {"GET me", "GET products/<sku:sku>", "GET orders/<number:number>", "GET orders/<number:number>/timeline"}
    read |= {"GET stock/<sku:sku>", "GET shipments/<number:id>", "GET returns/<number:id>"}
    read |= {"GET shipments/<number:id>/label", "GET shipments/<number:id>/packing-slip"}
    read |= {"GET disputes/<slug:id>/evidence"}
    read |= {"GET invoices/<number:number>", "GET refunds/<number:id>", "GET payments/<number:id>"}
    read |= {"GET refund-proposals/<number:id>"}
    changed = {"PATCH me", "PATCH products/<sku:sku>", "POST orders/<number:number>/cancel"}
    changed |= {"POST orders/<number:number>/payments"}
    changed |= {f"POST stock/<sku:sku>/{what}" for what in ("receipts", "adjustments", "quarantine")}
    of_a_shipment = ("dispatch", "deliver", "fail", "return-to-sender", "lose", "resolve")
    changed |= {f"POST shipments/<number:id>/{what}" for what in of_a_shipment}
    changed |= {"POST invoices/<number:number>/refunds", "POST carts/<uuid:id>/checkout"}
    changed |= {f"POST refund-proposals/<number:id>/{decision}" for decision in ("approve", "refuse")}
    items, vouchers = "carts/<uuid:id>/items/<sku:sku>", "carts/<uuid:id>/vouchers/<code:code>"
    changed |= {f"{method} {path}" for method in ("PUT", "DELETE") for path in (items, vouchers)}
    changed |= {f"PUT carts/<uuid:id>/shipping-{what}" for what in ("address", "option")}
    read |= {"GET carts/<uuid:id>", "GET vouchers/<sku:code>", "GET webhook-endpoints/<uuid:id>"}
    changed |= {"PATCH webhook-endpoints/<uuid:id>"}
    changed |= {"PATCH vouchers/<sku:code>", "POST orders/<number:number>/holds"}
    changed |= {"DELETE orders/<number:number>/holds/<number:id>"}
    changed |= {"POST orders/<number:number>/withdraw"}
    changed |= {f"POST returns/<number:id>/{what}" for what in ("approve", "refuse", "receive")}
    for route, operation in operations.items():
        assert ("If-None-Match" in parameters_of(operation)) == (route in read), route
        assert ("304" in operation["responses"]) == (route in read), route
        assert ("If-Match" in parameters_of(operation)) == (route in changed), route
        assert ("412" in operation["responses"]) == (route in changed), route
    for route in read | changed | {"POST orders", "POST products", "POST returns"}:
        succeeds = next(response for code, response in operations[route]["responses"].items() if code.startswith("2"))
        assert "ETag" in succeeds["headers"], route
    for route in "POST orders", "POST products", "POST returns":
        assert "Location" in operations[route]["responses"]["201"]["headers"]


def test_the_document_contains_the_limits(document: dict[str, Any], operations: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    order, line, address = schemas["OrderRequest"], schemas["LineRequest"], schemas["AddressRequest"]
    size = parameters_of(operations["GET orders"])["page_size"]["schema"]

    assert (order["properties"]["lines"]["minItems"], order["properties"]["lines"]["maxItems"]) == (1, 2_000)
    assert (line["properties"]["quantity"]["minimum"], line["properties"]["quantity"]["maximum"]) == (1, 100_000)
    assert address["properties"]["postal_code"]["maxLength"] == 20
    assert (size["minimum"], size["maximum"], size["default"]) == (1, 200, 50)
    assert parameters_of(operations["GET orders"])["ordering"]["schema"]["enum"] == ["-created_at", "created_at"]
    assert parameters_of(operations["GET products"])["in_stock"]["schema"]["type"] == "boolean"


def test_no_request_schema_allows_additional_fields(document: dict[str, Any]) -> None:
    inputs = {name: schema for name, schema in document["components"]["schemas"].items() if name.endswith("Request")}

    assert "OrderRequest" in inputs
    assert [name for name, schema in inputs.items() if schema.get("additionalProperties") is not False] == []


def test_every_operation_succeeds_as_described(
    system: System,
    buyer: Any,
    operator: Any,
    anonymous: Any,
    operations: dict[str, Any],
    document: dict[str, Any],
) -> None:
    """The example of every operation succeeds, and its response matches the schema and headers of the document."""
    callers = {"buyer": buyer, "operator": operator, "anonymous": anonymous}
    for route, call in examples(system).items():
        if route not in operations:
            continue
        response = callers[call.who].call(call)
        described = operations[route]["responses"].get(str(response.status_code))
        assert 200 <= response.status_code < 300, (route, response.content)
        assert described, route
        if response.content:
            kind = response.headers["Content-Type"].partition(";")[0]
            schema = described["content"][kind]["schema"]
            body = response.content.decode() if kind == "text/html" else response.json()
            Draft202012Validator({**schema, "components": document["components"]}).validate(body)
        promised = {name for name in described["headers"] if name != "Idempotent-Replayed"}
        assert promised <= set(response.headers), route


# --- The API page ---


def test_the_api_page_links_to_no_other_host(anonymous: Any) -> None:
    page = anonymous.get("/api/docs").content.decode()
    fetched = re.findall(r"""(?:src|href)=["']([^"']+)""", page)

    assert fetched
    assert [url for url in fetched if not url.startswith("/static/")] == []
    assert '"validatorUrl": null' in page, "otherwise Swagger UI sends a request to validator.swagger.io"


def test_only_the_script_with_the_nonce_of_this_response_runs_in_the_api_page(anonymous: Any) -> None:
    nonces = []
    for _ in range(2):
        response = anonymous.get("/api/docs")
        inline = re.findall(r"<script(?![^>]*src=)([^>]*)>", response.content.decode())
        (nonce,) = (re.fullmatch(r' nonce="(\S+)"', attributes)[1] for attributes in inline)
        assert f"script-src 'self' 'nonce-{nonce}';" in response.headers["Content-Security-Policy"]
        nonces.append(nonce)
    assert len(set(nonces)) == 2


@pytest.mark.parametrize(
    "path",
    [
        "/admin/login/",
        "/admin/",
        "/api/docs",
        "/api/v1/products",
        "/api/v1/nothing",
        "/healthz",
        "/static/admin/css/base.css",
    ],
)
def test_every_response_restricts_what_a_page_may_load(anonymous: Any, db: None, path: str) -> None:
    policy = dict(part.split(maxsplit=1) for part in anonymous.get(path).headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert "unsafe" not in policy["script-src"]


@pytest.mark.parametrize("path", ["/admin/login/", "/admin/", "/admin/ordering/order/", "/admin/integration/delivery/"])
def test_no_page_of_the_admin_contains_a_script(admin_client: Any, path: str) -> None:
    page = admin_client.get(path, follow=True).content.decode()
    assert "<script" in page
    assert re.findall(r"<script(?![^>]*src=)(?![^>]*application/json)[^>]*>|\son[a-z]+=|javascript:", page) == []


@pytest.mark.browser
def test_the_api_page_sends_no_request_to_another_host(live_server: Any, settings: Any) -> None:
    """The page is opened by a name other than localhost, because Swagger UI treats localhost differently."""
    settings.ALLOWED_HOSTS = ["shop.example"]
    port = urlsplit(live_server.url).port

    def visit() -> tuple[set[str], str]:
        with sync_playwright() as playwright:
            browser = launch(playwright, "--host-resolver-rules=MAP shop.example 127.0.0.1")
            page = browser.new_page()
            asked: list[str] = []
            page.on("request", lambda request: asked.append(request.url))
            page.goto(f"http://shop.example:{port}/api/docs")
            page.get_by_text("Place an order").first.wait_for(timeout=30_000)
            page.wait_for_load_state("networkidle")
            text = page.inner_text("body")
            browser.close()
        return {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "blob:"))}, text

    with ThreadPoolExecutor(
        1
    ) as thread:  # Django forbids queries in a thread with an event loop, and Playwright starts one.
        hosts, text = thread.submit(visit).result()

    assert hosts == {f"shop.example:{port}"}
    assert "/api/v1/orders/{number}/timeline" in text


def test_the_document_is_made_once_for_many_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    made = []
    make = SpectacularAPIView._get_schema_response

    def count(self: Any, request: Any) -> Any:
        made.append(request)
        return make(self, request)

    monkeypatch.setattr(SpectacularAPIView, "_get_schema_response", count)
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda _: Client().get("/api/schema?format=json"), range(16)))
    assert {response.status_code for response in responses} == {200}
    assert len({response.content for response in responses}) == 1
    assert len(made) == 1


def test_the_document_is_complete(document: dict[str, Any], operations: dict[str, Any]) -> None:
    """Every field has a description, every operation valid examples, every tag a text, every problem its type."""
    schemas = document["components"]["schemas"]
    assert [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, described in schema.get("properties", {}).items()
        if not described.get("description")
    ] == [], "add a help_text, or a line to integration/rest/field_descriptions.py"
    for route, operation in operations.items():
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for media, content in (body for each in bodies for body in each.get("content", {}).items()):
            if media in (JSON, PROBLEM):
                resolvable = {**content["schema"], "components": document["components"]}
                wrong = [error.message for error in Draft202012Validator(resolvable).iter_errors(content["example"])]
                assert wrong == [], (route, media)
        assert {"500", "503"} <= set(operation["responses"]), route
    used = {tag for operation in operations.values() for tag in operation["tags"]}
    assert used == {tag["name"] for tag in document["tags"] if tag["description"]}
    assert document["servers"][0]["url"] == "/"
    types = {each["type"].rpartition(":")[2]: each["status"] for each in document["x-problem-types"]}
    assert types["sku_taken"] == types["not_allowed"] == 409
    assert (types["method_not_allowed"], types["throttled"], types["unknown_cursor"]) == (405, 429, 422)
