"""A local server that responds as Stripe's API does: PaymentIntents, refunds, disputes, and idempotency keys.

The shapes are Stripe's published ones, with the fields that the adapter reads and some that it does not. The server
keeps what it made, and the response to each idempotency key. Faults can be planted for the next request to a path.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from threading import RLock
from typing import Any
from urllib.parse import parse_qsl

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from integration.domain import clock
from integration.gateways import signatures

Object = dict[str, Any]

CARDS: dict[str, Object] = {
    "pm_card_visa": {"brand": "visa", "last4": "4242"},
    "pm_card_authenticationRequired": {"brand": "visa", "last4": "3184"},
    "pm_card_chargeDeclinedInsufficientFunds": {"brand": "visa", "last4": "9995"},
    "pm_card_createDispute": {"brand": "visa", "last4": "0259"},
    "pm_card_refundFail": {"brand": "visa", "last4": "5126"},
}
SECRET = "whsec_0123456789abcdef0123"


class Refusal(Exception):
    """An error response."""

    def __init__(self, status: int, **error: Any) -> None:
        super().__init__(str(error))
        self.status, self.error = status, error


class StripeServer:
    """The state of the provider, and its HTTP interface.

    Args:
        http: where it listens.
    """

    def __init__(self, http: HTTPServer) -> None:
        self.objects: dict[str, Object] = {}
        self.replies: dict[str, tuple[str, int, str]] = {}
        self.requests: list[tuple[str, str, str]] = []
        self.faults: dict[str, list[Response | str]] = {}
        self._numbers, self._lock = count(1), RLock()
        http.expect_request(re.compile("/v1/.*")).respond_with_handler(self._respond)

    # --- What in life the bank and the buyer do ---

    def complete_action(self, intent: str) -> Object:
        """The buyer passes 3-D Secure."""
        return self._take(self.objects[intent])

    def fail_action(self, intent: str) -> Object:
        """The buyer fails 3-D Secure."""
        return self._fail(self.objects[intent], "payment_intent_authentication_failure", None)

    def dispute(self, intent: str, status: str = "needs_response") -> Object:
        """The buyer disputes a payment at their bank."""
        of = self.objects[intent]
        return self._keep(
            {
                "id": self._id("dp"),
                "object": "dispute",
                "amount": of["amount_received"],
                "currency": of["currency"],
                "charge": of["latest_charge"],
                "payment_intent": intent,
                "balance_transactions": [],
                "evidence_details": {"due_by": self._now() + 800_000, "has_evidence": False, "past_due": False},
                "is_charge_refundable": status.startswith("warning"),
                "reason": "fraudulent",
                "status": status,
                "livemode": False,
                "metadata": {},
            }
        )

    def event(self, kind: str, thing: Object | str, **changes: Any) -> tuple[bytes, dict[str, str]]:
        """The body and the headers of a signed event about an object as it is now."""
        event = {
            "id": self._id("evt"),
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": self._now(),
            "data": {"object": self.objects[thing] if isinstance(thing, str) else thing},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
            **changes,
        }
        body = json.dumps(event).encode()
        return body, {"Stripe-Signature": signatures.sign(body, SECRET, self._now())}

    def of_kind(self, kind: str) -> list[Object]:
        """The objects of a kind, oldest first."""
        return [each for each in self.objects.values() if each["object"] == kind]

    def sum_of(self, kind: str) -> int:
        """The total of the charges, or the refunds, that moved money."""
        moved = [each for each in self.of_kind(kind) if each["status"] == "succeeded"]
        return sum(each["amount_captured" if kind == "charge" else "amount"] for each in moved)

    def sent(self, method: str, path: str) -> list[str]:
        """The idempotency keys of the requests to a path, in order."""
        return [key for how, where, key in self.requests if how == method and re.fullmatch(path, where)]

    def forget_keys(self) -> None:
        """Do what Stripe does after a day."""
        self.replies.clear()

    def lose_response(self, path: str) -> None:
        """Lose the response to the next request to this path, after it took effect."""
        self.faults.setdefault(path, []).append("lose")

    def refuse(self, path: str, status: int, **headers: str) -> None:
        """Respond to the next request to this path with a status, without an effect."""
        self.faults.setdefault(path, []).append(Response("{}", status, {**headers, "Content-Type": "application/json"}))

    # --- HTTP ---

    def _respond(self, request: Request) -> Response:
        method, path = request.method, request.path.removeprefix("/v1/")
        sent = request.query_string.decode() if method == "GET" else request.get_data(as_text=True)
        key = request.headers.get("Idempotency-Key", "")
        with self._lock:
            self.requests.append((method, path, key))
            fault = next((faults.pop(0) for where, faults in self.faults.items() if where == path and faults), None)
            if isinstance(fault, Response):
                return fault
            if not request.headers["Authorization"].startswith("Bearer sk_test_"):
                return self._json(401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key"}})
            status, body = self._once(method, path, sent, key if method == "POST" else "")
        # A response that is cut off: the connection ends before the length that was promised.
        return Response(body[:10], 500) if fault == "lose" else Response(body, status, mimetype="application/json")

    def _once(self, method: str, path: str, sent: str, key: str) -> tuple[int, str]:
        what = f"{path}?{sent}"
        if key in self.replies:
            before, status, body = self.replies[key]
            if before != what:
                return 400, json.dumps({"error": {"type": "idempotency_error", "message": "other parameters"}})
            return status, body
        try:
            status, thing = 200, self._handle(method, path, dict(parse_qsl(sent)))
        except Refusal as refusal:
            status, thing = refusal.status, {"error": refusal.error}
        body = json.dumps(thing)
        if key:
            self.replies[key] = what, status, body
        return status, body

    def _handle(self, method: str, path: str, given: dict[str, str]) -> Object:
        match method, path.split("/"):
            case "GET", ["payment_methods", id]:
                return self._method(id)
            case "POST", ["payment_intents"]:
                return self._create(given)
            case "POST", ["payment_intents", id, "confirm"]:
                return self._shown(self._confirm(self._found(id), given), given)
            case "POST", ["payment_intents", id, "capture"]:
                return self._shown(self._capture(self._found(id), given), given)
            case "POST", ["payment_intents", id, "cancel"]:
                return self._shown(self._cancel(self._found(id), given), given)
            case "POST", ["refunds"]:
                return self._refund(given)
            case "GET", ["payment_intents" | "refunds", id]:
                return self._shown(self._found(id), given)
            case "GET", ["payment_intents" | "refunds" | "disputes" as kind]:
                return self._list(kind.removesuffix("s"), given)
        raise Refusal(404, type="invalid_request_error", message=f"Unrecognized request URL ({method}: /v1/{path})")

    def _create(self, given: dict[str, str]) -> Object:
        self._method(given["payment_method"])
        manual = given.get("payment_method_options[card][capture_method]") == "manual"
        id = self._id("pi")
        return self._keep(
            {
                "id": id,
                "object": "payment_intent",
                "amount": int(given["amount"]),
                "amount_capturable": 0,
                "amount_received": 0,
                "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
                "canceled_at": None,
                "cancellation_reason": None,
                "capture_method": "automatic_async",
                "client_secret": f"{id}_secret",
                "confirmation_method": "automatic",
                "currency": given["currency"],
                "last_payment_error": None,
                "latest_charge": None,
                "livemode": False,
                "metadata": self._metadata(given),
                "next_action": None,
                "payment_method": given["payment_method"],
                "payment_method_options": {"card": {"capture_method": "manual"} if manual else {}},
                "payment_method_types": ["card"],
                "processing": None,
                "status": "requires_confirmation",
            }
        )

    def _confirm(self, intent: Object, given: dict[str, str]) -> Object:
        self._require(intent, "requires_confirmation", "requires_payment_method")
        if "Declined" in intent["payment_method"]:
            self._fail(intent, "card_declined", "insufficient_funds")
            error = {**intent["last_payment_error"], "payment_intent": dict(intent)}
            raise Refusal(402, **error)
        if "authenticationRequired" in intent["payment_method"]:
            url = {"return_url": given["return_url"], "url": f"https://hooks.stripe.com/3d_secure_2/{intent['id']}"}
            intent |= {
                "status": "requires_action",
                "next_action": {"type": "redirect_to_url", "redirect_to_url": url},
            }
            return intent
        return self._take(intent)

    def _take(self, intent: Object) -> Object:
        """Charge or authorize."""
        holds = bool(intent["payment_method_options"]["card"])
        charge = self._keep(
            {
                "id": self._id("ch"),
                "object": "charge",
                "amount": intent["amount"],
                "amount_captured": 0 if holds else intent["amount"],
                "captured": not holds,
                "currency": intent["currency"],
                "payment_intent": intent["id"],
                "payment_method_details": {
                    "type": "card",
                    "card": {"brand": "visa", "capture_before": self._now() + 600_000 if holds else None},
                },
                "metadata": intent["metadata"],
                "status": "succeeded",
            }
        )
        intent |= {"latest_charge": charge["id"], "next_action": None}
        if holds:
            intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
        else:
            intent |= {"status": "succeeded", "amount_received": intent["amount"]}
        return intent

    def _fail(self, intent: Object, code: str, decline_code: str | None) -> Object:
        error = {"type": "card_error", "code": code, "decline_code": decline_code, "message": "declined"}
        intent |= {"status": "requires_payment_method", "last_payment_error": error, "next_action": None}
        return intent

    def _capture(self, intent: Object, given: dict[str, str]) -> Object:
        self._require(intent, "requires_capture")
        amount = int(given["amount_to_capture"])
        intent |= {"status": "succeeded", "amount_capturable": 0, "amount_received": amount}
        intent["metadata"] |= self._metadata(given)
        self.objects[intent["latest_charge"]] |= {"captured": True, "amount_captured": amount}
        return intent

    def _cancel(self, intent: Object, given: dict[str, str]) -> Object:
        self._require(intent, "requires_confirmation", "requires_payment_method", "requires_action", "requires_capture")
        intent |= {
            "status": "canceled",
            "cancellation_reason": given["cancellation_reason"],
            "canceled_at": self._now(),
            "next_action": None,
        }
        return intent

    def lapse(self, intent: str) -> Object:
        """Let an authorization lapse."""
        self.objects[intent] |= {"status": "canceled", "cancellation_reason": "automatic"}
        return self.objects[intent]

    def _refund(self, given: dict[str, str]) -> Object:
        intent, amount = self._found(given["payment_intent"]), int(given["amount"])
        if any(
            each["payment_intent"] == intent["id"] and each["status"] in ("needs_response", "lost")
            for each in self.of_kind("dispute")
        ):
            raise Refusal(400, type="invalid_request_error", code="charge_disputed", message="charged back")
        before = sum(
            each["amount"] for each in self.of_kind("refund")
            if each["payment_intent"] == intent["id"] and each["status"] != "failed"
        )  # fmt: skip
        if before + amount > intent["amount_received"]:
            raise Refusal(400, type="invalid_request_error", code="charge_already_refunded", message="too much")
        return self._keep(
            {
                "id": self._id("re"),
                "object": "refund",
                "amount": amount,
                "charge": intent["latest_charge"],
                "currency": intent["currency"],
                "metadata": self._metadata(given),
                "payment_intent": intent["id"],
                "reason": None,
                "status": "succeeded",
            }
        )

    def fail_refund(self, refund: str) -> Object:
        """The bank of the buyer sends a refund back."""
        self.objects[refund] |= {"status": "failed", "failure_reason": "lost_or_stolen_card"}
        return self.objects[refund]

    def _list(self, kind: str, given: dict[str, str]) -> Object:
        least = int(given.get("created[gte]", 0))
        found = [
            self._shown(each, given, "data.")
            for each in reversed(self.of_kind(kind))
            if each["created"] >= least
            and each.get("payment_intent", "") == given.get("payment_intent", each.get("payment_intent", ""))
        ]
        ids = [each["id"] for each in found]
        begin = ids.index(given["starting_after"]) + 1 if "starting_after" in given else 0
        page = found[begin : begin + int(given.get("limit", 10))]
        return {"object": "list", "data": page, "has_more": begin + len(page) < len(found), "url": f"/v1/{kind}s"}

    def _shown(self, thing: Object, given: dict[str, str], prefix: str = "") -> Object:
        wanted = {value for name, value in given.items() if name.startswith("expand")}
        if f"{prefix}latest_charge" in wanted and thing.get("latest_charge"):
            return {**thing, "latest_charge": self.objects[thing["latest_charge"]]}
        return dict(thing)

    def _method(self, id: str) -> Object:
        if id not in CARDS:
            message = f"No such PaymentMethod: '{id}'"
            raise Refusal(404, type="invalid_request_error", code="resource_missing", message=message)
        card = {**CARDS[id], "exp_month": 8, "exp_year": 2030}
        return {"id": id, "object": "payment_method", "type": "card", "card": card, "livemode": False}

    def _found(self, id: str) -> Object:
        if id not in self.objects:
            raise Refusal(404, type="invalid_request_error", code="resource_missing", message=f"No such object: {id}")
        return self.objects[id]

    def _require(self, intent: Object, *statuses: str) -> None:
        if intent["status"] not in statuses:
            code = "payment_intent_unexpected_state"
            raise Refusal(400, type="invalid_request_error", code=code, message=f"it is {intent['status']}")

    def _metadata(self, given: dict[str, str]) -> dict[str, str]:
        return {name[9:-1]: value for name, value in given.items() if name.startswith("metadata[")}

    def _keep(self, thing: Object) -> Object:
        self.objects[thing["id"]] = {"created": self._now(), **thing}
        return self.objects[thing["id"]]

    def _id(self, kind: str) -> str:
        return f"{kind}_{next(self._numbers):024}"

    def _now(self) -> int:
        return int(clock.now().timestamp())

    def _json(self, status: int, body: Object) -> Response:
        return Response(json.dumps(body), status, mimetype="application/json")


@contextmanager
def stripe_server(setenv: Callable[[str, str], None]) -> Iterator[StripeServer]:
    """A running server that the adapter uses."""
    from billing.gateways.stripe.configuration import configuration

    with HTTPServer(host="127.0.0.1", port=0, threaded=True) as http:
        server = StripeServer(http)
        setenv("STRIPE_API", http.url_for("").rstrip("/"))
        setenv("STRIPE_SECRET_KEY", "sk_test_0123456789")
        setenv("STRIPE_PUBLISHABLE_KEY", "pk_test_0123456789")
        setenv("STRIPE_WEBHOOK_SECRETS", SECRET)
        setenv("STRIPE_RETURN_URL", "https://shop.example/paid")
        setenv("STRIPE_MODE", "test")
        configuration.cache_clear()
        yield server
        configuration.cache_clear()
