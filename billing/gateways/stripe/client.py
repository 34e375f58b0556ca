"""Requests to Stripe: bounded in time as a whole, never repeated by the library, and with one error for lost responses.

The library builds requests and reads errors. The bytes go through `integration.gateways.http`, as those of all gateways
do. An error that says nothing about the request becomes `OutcomeUnknown`, and the delivery is tried again.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec
import stripe

from billing.gateways import OutcomeUnknown
from billing.gateways.stripe.configuration import configuration
from integration.gateways.http import AskedToWait, NoResponse, request

API_VERSION = "2026-10-28.endive"
"""The version whose shapes this adapter reads. Callbacks have the version of their endpoint in Stripe's dashboard."""

TIMEOUT = 5.0
"""Seconds for one exchange with Stripe, less than the lease of a delivery."""

PAGE = 100

Object = dict[str, Any]
"""An object of Stripe, as its JSON says."""


class BoundedClient(stripe.HTTPClient):
    """The library's HTTP client, which bounds each exchange as a whole."""

    name = "waybill"

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Send a request once; raises `NoResponse`."""
        body = post_data.encode() if isinstance(post_data, str) else post_data or b""
        response = request(method.upper(), url, body, headers, timeout=TIMEOUT, largest_body=4_000_000)
        return response.body.decode(errors="replace"), response.status, response.headers

    def close(self) -> None:
        """Nothing is open between two requests."""


@lru_cache(maxsize=4)
def _client(secret_key: str, api: str) -> stripe.StripeClient:
    return stripe.StripeClient(
        secret_key,
        stripe_version=API_VERSION,
        base_addresses={"api": api},
        max_network_retries=0,
        http_client=BoundedClient(),
    )


def ask(method: str, path: str, idempotency_key: str = "", **params: Any) -> Object:
    """Send a request to Stripe and return the object of its response.

    Args:
        method: `get` or `post`.
        path: after the version of the API, such as `payment_intents/pi_1`.
        idempotency_key: of a POST; Stripe responds to the same key with the same response for a day.
        params: the parameters of the request.

    Raises:
        OutcomeUnknown: there was no response, or one that says nothing about this request.
        stripe.CardError, stripe.InvalidRequestError: Stripe refused the request.
    """
    ours = configuration()
    options = {"idempotency_key": idempotency_key} if idempotency_key else {}
    try:
        response = _client(ours.secret_key, ours.api).raw_request(method, f"/v1/{path}", **params, **options)
        return msgspec.json.decode(response.body, type=Object)
    except NoResponse as error:
        raise OutcomeUnknown(str(error), error.retry_after if isinstance(error, AskedToWait) else None) from error
    except stripe.InvalidRequestError as error:
        if error.http_status == 409 or error.code in ("lock_timeout", "rate_limit", "idempotency_key_in_use"):
            raise OutcomeUnknown(f"Stripe: {error}") from error
        raise
    except stripe.CardError:
        raise
    except (stripe.StripeError, msgspec.DecodeError) as error:
        raise OutcomeUnknown(f"Stripe: {error}") from error


def listed(path: str, **params: Any) -> Iterator[Object]:
    """Yield all objects of a list at Stripe, newest first; raises `OutcomeUnknown`."""
    after: dict[str, str] = {}
    while True:
        page = ask("get", path, limit=PAGE, **params, **after)
        yield from page["data"]
        if not page["has_more"] or not page["data"]:
            return
        after = {"starting_after": page["data"][-1]["id"]}
