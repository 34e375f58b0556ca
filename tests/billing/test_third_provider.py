"""A payment provider is one folder: it is found by being there, and nothing else changes."""

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from django.conf import settings as django_settings
from rest_framework.test import APIClient

import billing.gateways
from billing.gateways import provider, providers
from config.gateways import payment_provider, payment_providers

DOCS = Path(django_settings.BASE_DIR) / "docs" / "extending.md"


@pytest.fixture
def cash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The adapter of docs/extending.md in a folder of its own, next to those that there are."""
    text = DOCS.read_text().partition("`billing/gateways/cash/adapter.py`:")[2]
    folder = tmp_path / "cash"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""Cash."""\n')
    (folder / "adapter.py").write_text(dedent(text.partition("```python\n")[2].partition("```")[0]))
    monkeypatch.setattr(billing.gateways, "__path__", [*billing.gateways.__path__, str(tmp_path)])
    yield folder
    for name in [name for name in sys.modules if name.startswith("billing.gateways.cash")]:
        del sys.modules[name]
    billing.gateways._adapters.pop("cash", None)


def test_the_providers_are_the_folders_that_there_are() -> None:
    assert providers() == payment_providers() == ["sandbox", "stripe"]


def test_a_folder_is_a_provider(
    cash: Path, settings: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    monkeypatch.setattr("config.gateways.PAYMENT_PROVIDERS", cash.parent)
    settings.PAYMENT_PROVIDER = payment_provider("cash", is_embedded=False)  # type: ignore[attr-defined]
    assert "cash" in providers()
    assert type(provider()).__name__ == "CashProvider"
    response = APIClient().get("/api/v1/payment-config")
    assert response.json() == {"provider": "cash", "publishable_key": "", "kinds": ["cash"]}
    assert APIClient().post("/api/v1/webhooks/payments/cash", {}, format="json").status_code == 400


def test_checkout_pages_learn_the_provider(db: None) -> None:
    response = APIClient().get("/api/v1/payment-config")
    assert response.json() == {"provider": "sandbox", "publishable_key": "", "kinds": ["card", "bank_transfer"]}
    assert APIClient().get("/api/v1/payment-config?x=1").status_code == 422
