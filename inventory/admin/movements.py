"""The ledger of a stock item, as a part of its page in the admin: a page of movements, newest first."""

from typing import Any

from django.http import HttpRequest

from integration.admin.columns import NOTHING, actor_link, exact_moment
from integration.admin.viewer import name_users
from integration.domain.identifiers import Sku
from inventory import queries
from inventory.models import StockItem

ON_A_PAGE = 25
"""The movements that are shown at once."""


def page_of_movements(request: HttpRequest, item: StockItem) -> dict[str, Any]:
    """The template context of the movements before the version that the URL names, by default the newest.

    Everybody who may view the stock item may view them. The number of statements is constant.
    """
    before = request.GET.get("before", "")
    entries = queries.movements_of(Sku(item.sku)).order_by("-version")
    if is_number := before.isdecimal() and len(before) < 10:
        entries = entries.filter(version__lt=int(before))
    page = list(entries[: ON_A_PAGE + 1])
    shown = queries.with_balances(Sku(item.sku), page[:ON_A_PAGE])
    name_users(movement.by for movement in shown)
    return {
        "movements": [
            {
                "at": exact_moment(movement.at),
                "kind": movement.kind.replace("_", " "),
                "quantity": f"{movement.quantity:+}" if movement.kind == "adjusted" else movement.quantity,
                "on_hand": movement.on_hand,
                "reserved": movement.reserved,
                "quarantined": movement.quarantined,
                "reference": movement.reference or NOTHING,
                "by": actor_link(movement.by),
            }
            for movement in shown
        ],
        "older": page[ON_A_PAGE - 1].version if len(page) > ON_A_PAGE else None,
        "newer": is_number,
    }
