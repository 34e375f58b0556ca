"""A request survives a migration that alters a column under its prepared statements."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from integration.aggregates.direct_writes import bypassing_history
from integration.rest import database
from ordering.models import Buyer

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.postgres,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite reads a changed schema anew"),
]
ME = "/api/v1/me"
NAMES = 200
"""The length of a buyer's name."""


@pytest.fixture
def widen() -> Iterator[Callable[[int], None]]:
    """Alters the column of a buyer's name in another session; what was altered is undone at the end."""
    with closing(connection.copy()) as other:

        def alter(length: int) -> None:
            with other.cursor() as cursor:
                cursor.execute(f"ALTER TABLE ordering_buyer ALTER COLUMN name TYPE varchar({length})")

        yield alter
        alter(NAMES)


def use(buyer: Any, times: int = 8) -> None:
    for n in range(times):
        assert buyer.patch(ME, {"name": f"Ada {n}"}).status_code == 200
        assert buyer.get(ME).status_code == 200


def test_neither_reading_nor_changing_fails(buyer: Any, widen: Callable[[int], None]) -> None:
    use(buyer)
    version = Buyer.objects.get(user=buyer.user).version
    for extra in range(1, 4):
        widen(NAMES + extra)
        assert buyer.patch(ME, {"name": f"Ada, {extra}"}).status_code == 200
        widen(NAMES + 10 * extra)
        assert buyer.get(ME).status_code == 200
        use(buyer)

    assert Buyer.objects.get(user=buyer.user).version == version + 3 * 9, "a change was made twice, or not at all"


def test_a_request_that_has_changed_something_is_not_repeated(
    buyer: Any, widen: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def view(request: Any) -> None:
        calls.append(request)
        with bypassing_history():
            Buyer.objects.filter(user=buyer.user).update(locale="de")
        widen(NAMES + len(calls))
        with transaction.atomic():
            list(Buyer.objects.filter(name="Ada"))

    use(buyer)
    with transaction.atomic():
        for _ in range(8):
            list(Buyer.objects.filter(name="Ada"))
    middleware: Any = database.repeat_after_alteration(lambda request: None)  # type: ignore[arg-type,return-value]
    with pytest.raises(OperationalError):
        middleware.process_view(None, view, (), {})
    assert len(calls) == 1


def test_a_page_of_the_admin_says_that_the_database_cannot_be_reached(
    operator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(connection, "cursor", refuse)
    operator.cookies["sessionid"] = 32 * "x"
    response = operator.get("/admin/")
    assert (response.status_code, response.json()["type"]) == (503, "urn:waybill:problem:database_unavailable")
