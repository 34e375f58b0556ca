"""What happens to orders besides going out whole: holds, cancelled lines, lost parcels, returns and withdrawals.

Operators decide late, buyers ask for what is not possible any more, and goods come back in parts and in any condition.
"""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from config.simulation.clients import Caller, Client
from config.simulation.world import World
from fulfillment.models import Return, ReturnStatus
from integration.domain.identifiers import OrderNumber, sibling
from integration.rest.guests import access_token
from ordering.models import HoldReason, Order, OrderLine

HELD, LINES_CANCELLED, WITHDRAWN = 0.15, 0.2, 0.12
LOST, BROUGHT_BACK, SENT_AGAIN = 0.1, 0.1, 0.5
ASKED_FOR_RETURN, RETURN_REFUSED, RECEIVED_IN_PARTS = 0.4, 0.2, 0.5
DISPOSITIONS = ("restock", "quarantine", "write_off", "missing")
BETWEEN_LOOKS = 120.0
"""Seconds from one look for returns to receive to the next."""
OPEN_RETURNS = (ReturnStatus.REQUESTED, ReturnStatus.APPROVED, ReturnStatus.RECEIVED)

Dispatch = Callable[[OrderNumber, int], None]


class Aftercare(Client):
    """Buyers and operators after an order is placed.

    Args:
        operator: a member of staff.
        dispatch: called with an order and an attempt; dispatches the order's first shipment.
    """

    def __init__(self, world: World, operator: AbstractBaseUser, dispatch: Dispatch) -> None:
        super().__init__(world)
        self.operator, self.dispatch = operator, dispatch
        self.owners: dict[str, Caller] = {}
        self.touched: set[str] = set()
        """The orders with returned, cancelled or lost goods, whose lines may have nothing left to refund."""
        self._seen: set[tuple[str, str]] = set()
        self._asked: set[str] = set()
        world.every(BETWEEN_LOOKS, self._look_for_returns)

    def begin(self, order: OrderNumber, owner: Caller) -> None:
        """Schedule what happens to a new order of this owner."""
        self.owners[order] = owner
        for share, mean, do in (
            (HELD, 90, self._hold),
            (LINES_CANCELLED, 120, self._cancel_lines),
            (WITHDRAWN, 400, self._withdraw),
        ):
            if self.world.chances(share):
                self.world.after(self.world.soon(mean), do, order)

    # --- Before the goods leave ---

    def _hold(self, order: OrderNumber) -> None:
        body = {"reason": self.world.random.choice(HoldReason.values), "note": "ask the buyer"}
        path = f"/api/v1/orders/{order}/holds"
        response = self.post(path, body, user=self.operator, key=f"hold-{order}")
        if self.expect(response, 202, 409, what=f"a hold of {order}"):
            self.world.tally["holds"] += 1
            self.world.after(self.world.soon(200), self._lift, f"{path}/{response.data['holds'][-1]['id']}")

    def _lift(self, path: str) -> None:
        for _ in range(2):
            self.expect(self.ask("delete", path, None, user=self.operator), 202, 409, what=f"lifting {path}")

    def _cancel_lines(self, order: OrderNumber) -> None:
        line = self.world.random.choice(list(OrderLine.objects.filter(order=order).order_by("pk")))
        lines = [{"sku": line.sku, "quantity": self.world.random.randint(1, line.quantity)}]
        self.touched.add(order)
        body = {"reason": "too many", "lines": lines}
        path, owner = f"/api/v1/orders/{order}/cancel", self.owners[order]
        response = self.post(path, body, user=owner, key=f"cancel-lines-{order}")
        self.expect(response, 202, 409, what=f"a cancellation of lines of {order}")
        self.world.tally["cancellations of lines"] += response.status_code == 202

    def _withdraw(self, order: OrderNumber) -> None:
        self.touched.add(order)
        body: dict[str, Any] = {"name": "Ada", "email": "ada@example.com"}
        if self.world.chances(0.5):
            line = self.world.random.choice(list(OrderLine.objects.filter(order=order).order_by("pk")))
            body["lines"] = [{"sku": line.sku, "quantity": 1}]
        path, owner = f"/api/v1/orders/{order}/withdraw", self.owners[order]
        response = self.post(path, body, user=owner, key=f"withdraw-{order}")
        self.expect(response, 202, 409, what=f"a withdrawal from {order}")
        self.world.tally["withdrawals"] += response.status_code == 202

    # --- On the way ---

    def goes_wrong(self, order: OrderNumber, parcel: int) -> bool:
        """Whether a dispatched parcel is lost or comes back; then an operator decides about it later."""
        chance = self.world.random.random()
        if chance > LOST + BROUGHT_BACK:
            return False
        self.touched.add(order)
        shipment = sibling("S", order, parcel)
        for step in ["lose"] if chance < LOST else ["fail", "return-to-sender"]:
            path = f"/api/v1/shipments/{shipment}/{step}"
            response = self.post(path, {}, user=self.operator, key=f"{step}-{shipment}")
            self.expect(response, 200, what=path)
        self.world.tally["parcels lost" if chance < LOST else "parcels brought back"] += 1
        self.world.after(self.world.soon(600), self._resolve, order, shipment)
        return True

    def _resolve(self, order: OrderNumber, shipment: str) -> None:
        """Decide about a parcel, and try to decide again, which is refused.

        As long as the buyer has asked for a return of its goods, the first decision is refused, too.
        """
        ways = ["send_again", "refund"] if self.world.chances(SENT_AGAIN) else ["refund", "send_again"]
        decided = ""
        for way in ways:
            path = f"/api/v1/shipments/{shipment}/resolve"
            response = self.post(path, {"as": way}, user=self.operator, key=f"resolve-{shipment}-{way}")
            if self.expect(response, *((409,) if decided else (200, 409)), what=f"{path} as {way}"):
                decided = way
        self.world.tally["parcels undecided"] += not decided
        if decided == "send_again":
            self.world.after(60, self._send_again, order, shipment)

    def _send_again(self, order: OrderNumber, shipment: str) -> None:
        """Dispatch the order that replaces a parcel, once ordering has placed it."""
        shown = {each["id"]: each for each in Order.objects.get(pk=order).shipments}
        number = shown.get(shipment, {}).get("replaced_by")
        if number:
            owner, replacement = self.owners[order], Order.objects.get(pk=number)
            # A guest's token opens one order; that of the replacement comes with the letter about it.
            self.owners[number] = access_token(number, replacement.correlation_id) if isinstance(owner, str) else owner
            self.touched.add(number)
            self.world.tally["parcels sent again"] += 1
            self.dispatch(OrderNumber(number), 1)
        else:
            self.world.after(60, self._send_again, order, shipment)

    # --- After the delivery ---

    def ask_for_return(self, order: OrderNumber) -> None:
        """Let the owner of an order with a delivered parcel ask for the return of some lines, perhaps twice."""
        if order in self._asked:
            return
        self._asked.add(order)
        self.touched.add(order)
        lines = list(OrderLine.objects.filter(order=order).order_by("pk"))
        for n in range(1 + self.world.chances(0.3)):
            some = self.world.random.sample(lines, self.world.random.randint(1, len(lines)))
            asked = [
                {
                    "sku": line.sku,
                    "quantity": self.world.random.randint(1, line.quantity),
                    "reason": self.world.random.choice(["damaged", "changed_mind", "other"]),
                }
                for line in some
            ]
            body = {"order": order, "lines": asked, "note": "see the photo"}
            response = self.post("/api/v1/returns", body, user=self.owners[order], key=f"return-{order}-{n}")
            self.expect(response, 201, 409, what=f"a return of {order}")
            self.world.tally["returns"] += response.status_code == 201

    def _look_for_returns(self) -> None:
        for found in Return.objects.filter(status__in=OPEN_RETURNS).order_by("pk"):
            if (found.id, found.status) not in self._seen:
                self._seen.add((found.id, found.status))
                self.world.after(self.world.soon(200), self._go_on_with, found.id)

    def _go_on_with(self, id: str) -> None:
        """Approve, refuse or receive a return, in parts."""
        found = Return.objects.get(pk=id)
        path, key = f"/api/v1/returns/{id}", f"{id}-{found.version}"
        if found.status == ReturnStatus.REQUESTED:
            refused = self.world.chances(RETURN_REFUSED)
            step, body = ("refuse", {"reason": "used for years"}) if refused else ("approve", {})
            self.expect(self.post(f"{path}/{step}", body, user=self.operator, key=key), 200, 409, what=path)
        elif found.status in OPEN_RETURNS:
            in_parts = found.status == ReturnStatus.APPROVED and self.world.chances(RECEIVED_IN_PARTS)
            lines = [
                {"sku": line.sku, "quantity": 1, "disposition": self.world.random.choice(DISPOSITIONS)}
                for line in found.lines
                for _ in range(line.expected)
            ]
            if lines:
                received = {"lines": lines[: max(1, len(lines) // 2)] if in_parts else lines}
                response = self.post(f"{path}/receive", received, user=self.operator, key=key)
                self.expect(response, 200, what=f"receiving {id}")
                self.world.tally["receipts of returns"] += 1

    @property
    def is_awaited(self) -> bool:
        """Whether an operator has a return to go on with."""
        return Return.objects.filter(status__in=OPEN_RETURNS).exists()
