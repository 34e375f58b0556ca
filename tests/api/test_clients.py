"""Compression, other origins, slashes at the end, and what caches may store."""

import gzip
import json
from typing import Any

import pytest
from pytest_django import Settings

SHOP, OTHER = "https://shop.example.com", "https://other.example.com"


def test_a_slash_at_the_end_changes_nothing(
    buyer: Any, anonymous: Any, order_body: dict[str, Any], shop: object
) -> None:
    placed = buyer.post("/api/v1/orders/", order_body)
    assert placed.status_code == 201
    number = placed.json()["number"]
    assert buyer.get(f"/api/v1/orders/{number}/").json() == buyer.get(f"/api/v1/orders/{number}").json()
    assert anonymous.get("/api/docs/").status_code == anonymous.get("/api/schema/").status_code == 200
    assert anonymous.get("/api/v1/nothing/").status_code == 404


def test_long_responses_are_compressed_and_etags_of_resources_stay_strong(anonymous: Any, shop: object) -> None:
    accepts = {"HTTP_ACCEPT_ENCODING": "gzip"}
    listed, again = (anonymous.get("/api/v1/products?page_size=200", **accepts) for _ in range(2))
    assert listed["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(listed.content)) == anonymous.get("/api/v1/products?page_size=200").json()
    assert listed["ETag"] == again["ETag"]
    again = anonymous.get("/api/v1/products?page_size=200", HTTP_IF_NONE_MATCH=listed["ETag"], **accepts)
    assert again.status_code == 304
    one = anonymous.get("/api/v1/products/MUG", **accepts)
    assert "Content-Encoding" not in one
    assert one["ETag"].startswith('"')


def test_no_cache_stores_what_may_be_personal(buyer: Any, anonymous: Any, shop: object) -> None:
    for path, is_personal in (("me", True), ("orders", True), ("products", True)):
        assert ("no-store" in buyer.get(f"/api/v1/{path}").get("Cache-Control", "")) == is_personal
    assert "Cache-Control" not in anonymous.get("/api/v1/products")
    assert anonymous.post("/api/v1/carts", {})["Cache-Control"] == "no-store"
    assert anonymous.get("/api/v1/me").get("Cache-Control") is None


@pytest.mark.parametrize(
    ("origins", "origin", "is_allowed"), [([SHOP], SHOP, True), ([SHOP], OTHER, False), ([], SHOP, False)]
)
def test_pages_of_the_named_origins_may_call_the_api(
    anonymous: Any, shop: object, settings: Settings, origins: list[str], origin: str, is_allowed: bool
) -> None:
    settings.CORS_ORIGINS = origins
    preflight = anonymous.generic(
        "OPTIONS",
        "/api/v1/orders",
        headers={"Origin": origin, "Access-Control-Request-Method": "POST"},
    )
    simple = anonymous.get("/api/v1/products", headers={"Origin": origin})
    for response in (preflight, simple):
        assert (response.get("Access-Control-Allow-Origin") == origin) == is_allowed
        assert "Access-Control-Allow-Credentials" not in response
        assert ("Origin" in response.get("Vary", "")) == bool(origins)
    assert simple.status_code == 200
    if is_allowed:
        assert preflight.status_code == 204
        assert "Idempotency-Key" in preflight["Access-Control-Allow-Headers"]
        assert "ETag" in simple["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in anonymous.get("/admin/login/", headers={"Origin": origin})
