"""What the OpenAPI document and its page say."""

from typing import Any

TAGS = {
    "auth": "Tokens, to log in and out.",
    "carts": "Carts of buyers and guests, priced at each change.",
    "consumers": "Who consumes integration events, and how each one stands. For staff.",
    "customers": "Accounts of buyers.",
    "deliveries": "Deliveries of integration events: what failed, and replaying it. For staff.",
    "events": "The catalogue of integration events. For staff.",
    "feed": "Integration events for other programs. For staff.",
    "disputes": "Buyers who ask their banks for the money of payments. For staff.",
    "refund-proposals": "Refunds above the limit, which a second person approves or refuses. For staff.",
    "invoices": "What orders cost, what was paid, and what was refunded.",
    "me": "The caller's own profile and data.",
    "orders": "Orders from placing to their end.",
    "payment-config": "What a page needs to know to take a payment.",
    "payment-methods": "Payment methods that a buyer keeps here.",
    "payments": "Payments. For staff.",
    "products": "What is for sale.",
    "refunds": "Refunds. For staff.",
    "returns": "What buyers send back.",
    "sandbox": "What in life a bank or a buyer does, where the sandbox is the payment provider. For staff.",
    "shipments": "Parcels. For staff.",
    "stock": "Units in the warehouse. For staff.",
    "vouchers": "Vouchers. For staff.",
    "webhook-endpoints": "Where integration events are sent to. For staff.",
    "webhooks": "Call-backs of payment providers and carriers.",
}
"""What the operations are about, by the first part of their path."""

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Waybill",
    "DESCRIPTION": """Orders from the cart to the doorstep.

JSON only, in UTF-8; times in RFC 3339, in UTC; money as `{"amount": "19.90", "currency": "USD"}`.

* **Who**: `Authorization: Bearer …`, with a token from `POST /api/v1/auth/tokens`.
* **Guests** order without an account. The `Cart-Token` header opens their cart. The `access_token` of their order is a
  bearer token for that order, its timeline, cancellation and invoice, and for nothing else.
* **Errors** are `application/problem+json` (RFC 9457). `type` names the kind. Well-formed input that is not acceptable
  is a 422 with one entry in `errors` for each mistake. A mistake is also: a field that is unknown or occurs twice in
  an object, and a query parameter that is unknown, empty or occurs twice.
* **Doing it once**: a POST repeated under the same `Idempotency-Key` gets its first response again.
  A 405 names the methods of a path in `Allow`. `x-problem-types` in this document lists the types of problems.
* **Lists** come in pages: request `next` until it is null.
* **What is new**: ask orders and shipments with `updated_after`, the `updated_at` of the last result you have seen.
  Results come in the order in which they became visible, so nothing is missed, although a change may be committed after
  a later one. Some come again: recognize them by their identifier and `updated_at`.
* **Changing what you saw**: send a resource's `ETag` as `If-Match`.
* **Cancelling a confirmed order** takes effect later, and only if its shipment can still be stopped. The order then is
  `cancelled`, or its `cancellation_refusal` says when and why the request was refused. Other orders lack that field.
* **Finding it again**: every response names its story in `X-Correlation-Id`.
* **Health**, at the root and without a token: `GET /healthz` is 200 while the process lives. `GET /readyz` is 200 while
  the database and the broker respond, otherwise 503. Its `degraded` lists in sentences what works less well:
  read models that are behind or failing, paused consumers, a silent beat.
""",
    "VERSION": "1",
    "LICENSE": {"name": "MIT", "identifier": "MIT"},
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVERS": [{"url": "/", "description": "The server that this document comes from."}],
    "TAGS": [{"name": name, "description": text} for name, text in TAGS.items()],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "integration.rest.document.complete",
    ],
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    # All these fields are called status: without names, their enums would collide.
    "ENUM_NAME_OVERRIDES": {
        "CartStatus": "ordering.models.CartStatus",
        "DeliveryStatus": "integration.messaging.models.Status",
        "EndpointStatus": "integration.webhooks.models.EndpointStatus",
        "InvoiceStatus": "billing.models.InvoiceStatus",
        "OrderStatus": "ordering.api.order_status.CHOICES",
        "RefundProposalStatus": "billing.models.RefundProposalStatus",
        "RefundStatus": "billing.models.RefundStatus",
        "Resolution": "fulfillment.models.RESOLUTIONS",
        "ShipmentStatus": "fulfillment.models.ShipmentStatus",
        "VoucherKind": "ordering.api.vouchers.KINDS",
    },
}
