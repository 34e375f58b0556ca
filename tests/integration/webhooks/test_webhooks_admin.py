"""The admin's pages of endpoints show what was sent, and their actions do what the API does; they show no secret."""

from collections.abc import Callable
from typing import Any

from django.test import Client
from django.urls import reverse

from integration.domain import clock
from integration.webhooks.models import EndpointAttempt, EndpointDelivery, WebhookEndpoint
from integration.webhooks.sending import send_due
from tests.integration.webhooks.conftest import Receivers, example, failed, url


def path(model: Any, key: Any = None) -> str:
    """The page of a row, or of all rows."""
    name = f"admin:integration_{model._meta.model_name}_{'changelist' if key is None else 'change'}"
    return reverse(name, args=[] if key is None else [key])


def test_endpoints_in_the_admin(
    endpoint: Callable[..., WebhookEndpoint],
    publish_all: Callable[..., None],
    receivers: Receivers,
    admin_client: Client,
) -> None:
    hook = endpoint(description="the ERP")
    receivers.responses[url("a")] = failed(503)
    publish_all(example("inventory.stock-ran-low"))
    send_due(receivers)

    def act(action: str, **more: Any) -> str:
        sent = {"action": action, "_selected_action": [str(hook.pk)], **more}
        return admin_client.post(path(WebhookEndpoint), sent, follow=True).content.decode()

    for model in (WebhookEndpoint, EndpointDelivery, EndpointAttempt):
        key = model._default_manager.values_list("pk", flat=True).get()
        pages = [admin_client.get(page) for page in (path(model), path(model, key))]
        assert [page.status_code for page in pages] == [200, 200], model
        assert not any(secret in page.content.decode() for page in pages for secret in hook.secrets(clock.now()))
    assert "the ERP" in admin_client.get(path(WebhookEndpoint)).content.decode()
    assert "503" in admin_client.get(path(EndpointAttempt)).content.decode()
    assert "is disabled" in act("disable_endpoints")
    assert "is enabled" in act("enable_endpoints")
    assert "A test is sent" in act("test_endpoints")
    asked = act("replay_to_endpoints")
    assert "these last hours" in asked
    assert EndpointDelivery.objects.count() == 2
