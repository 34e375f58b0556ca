"""Machines whose clocks are wrong, or are set while the system runs: orders go on, and the machines agree on time."""

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path

import pytest
from django.conf import settings
from machine_clock import MachineClock
from running_system import PYTHON, ROOT, Client, System, eventually

from billing.gateways import signatures
from billing.gateways.sandbox.adapter import SIGNATURE_HEADER
from config.secrets import CALL_BACKS, derived

pytestmark = [pytest.mark.system, pytest.mark.compiler]
on_servers = pytest.mark.skipif(settings.EMBEDDED, reason="embedded, there is one process and no other clock")

HOUR, HEALED_WITHIN = 3600, 15.0
WARNING = "the database's: set the wrong one"
MUG = "MUG-ENAMEL-CREAM"


@pytest.fixture
def on_machines(build_system: Callable[..., System], tmp_path: Path, request: pytest.FixtureRequest) -> Callable:
    """Starts a system whose processes run on machines of their own; returns it with the machines' clocks by process."""

    def build(ahead: int | dict[str, int] = 0) -> tuple[System, dict[str, MachineClock]]:
        system = build_system()
        request.addfinalizer(system.tear_down)
        clocks = {name: MachineClock(tmp_path, name) for name in system.commands}
        system.commands = {name: clocks[name].seen_by(command) for name, command in system.commands.items()}
        for name, clock in clocks.items():
            clock.set(ahead if isinstance(ahead, int) else ahead.get(name, 0))
        return system, clocks

    return build


def set_all(clocks: dict[str, MachineClock], ahead: int) -> None:
    for clock in clocks.values():
        clock.set(ahead)


def confirmed(buyer: Client) -> str:
    """Place an order, and wait until it is confirmed; returns its number."""
    number = buyer.place({MUG: 1})
    buyer.order_once(number, "confirmed", within=HEALED_WITHIN)
    return number


def assert_the_sweep_finds_work(system: System) -> None:
    delivery = system.lose_wake_up()
    eventually(lambda: system.is_done(delivery), bool, "a delivery found by the sweep", within=HEALED_WITHIN)


def responds(visitor: Client, path: str) -> bool:
    """Whether a page that needs no database can be read."""
    try:
        return visitor.ask("GET", path).status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False


def moments(buyer: Client, number: str) -> list[datetime]:
    return [datetime.fromisoformat(entry["occurred_at"]) for entry in buyer.timeline(number)]


def test_the_library_moves_the_clock_of_one_process_and_not_its_monotonic_clock(tmp_path: Path) -> None:
    clock = MachineClock(tmp_path)
    code = "import time, datetime; print(time.time(), datetime.datetime.now().timestamp(), time.monotonic())"
    for ahead in (0, HOUR, -HOUR):
        clock.set(ahead)
        began, began_monotonic = time.time(), time.monotonic()
        output = subprocess.check_output(clock.seen_by([*PYTHON, "-c", code]), text=True)
        machine, python, monotonic = map(float, output.split())
        assert began + ahead - 1 <= machine <= time.time() + ahead + 1
        assert began + ahead - 1 <= python <= time.time() + ahead + 1
        assert began_monotonic <= monotonic <= time.monotonic()


@pytest.mark.parametrize("jumps", [[-HOUR], [HOUR], [HOUR, 0], [-HOUR, HOUR]], ids=str)
def test_orders_go_on_while_the_clock_is_set(on_machines: Callable, jumps: Sequence[int]) -> None:
    system, clocks = on_machines()
    system.open()
    buyer, operator = (system.visitor.log_in(name, name) for name in ("buyer", "operator"))
    before = confirmed(buyer)

    for ahead in jumps:
        set_all(clocks, ahead)
        for _ in range(3):
            after = confirmed(buyer)
        assert_the_sweep_finds_work(system)

    shipment = operator.shipment_of(before)["id"]
    parcel = {"carrier": "DHL", "tracking_number": "1"}
    assert operator.post(f"/shipments/{shipment}/dispatch", parcel).status == HTTPStatus.OK
    buyer.order_once(before, "shipped", within=HEALED_WITHIN)
    assert operator.post(f"/shipments/{shipment}/deliver").status == HTTPStatus.OK
    buyer.order_once(before, "delivered", within=HEALED_WITHIN)
    eventually(system.count_pending, lambda pending: pending == 0, "no delivery pending", within=HEALED_WITHIN)
    eventually(
        lambda: [each["events"] for each in json.loads(system.run(ROOT, "read_models", "--json"))],
        lambda behind: not any(behind),
        "all read models caught up",  # after an hour back, an event of a second ago looks an hour old
        within=HEALED_WITHIN,
    )
    system.run(ROOT, "verify")
    if not settings.EMBEDDED:
        for number in (before, after):
            assert all(abs(moment.timestamp() - time.time()) < 120 for moment in moments(buyer, number))
        assert WARNING in system.output["worker"]


@on_servers
@pytest.mark.parametrize(
    "ahead",
    [{"worker": 3}, {"worker": 60}, {"beat": -60}, {"web": 59, "worker": -60}, {"web": -HOUR, "worker": HOUR}],
    ids=str,
)
def test_machines_whose_clocks_differ_agree_on_the_time(on_machines: Callable, ahead: dict[str, int]) -> None:
    system, _ = on_machines(ahead)
    system.open()
    buyer = system.visitor.log_in("buyer", "buyer")

    began = time.time()
    number = confirmed(buyer)
    assert time.time() - began < 5, "a delivery waited for another machine's clock"
    assert_the_sweep_finds_work(system)
    for moment in moments(buyer, number):
        assert began - 1 < moment.timestamp() < time.time() + 1
    assert (WARNING in system.output["web"]) == (abs(ahead.get("web", 0)) > 60)


@on_servers
def test_a_call_back_is_authenticated_by_the_first_request_to_a_machine_that_is_an_hour_behind(
    on_machines: Callable,
) -> None:
    system, _ = on_machines(-HOUR)
    system.start("web")
    eventually(lambda: responds(system.visitor, "/healthz"), bool, "a web process")

    secret = derived(system.environment["SECRET_KEY"], CALL_BACKS)

    def refusal_of_call_back(at: float) -> str:
        header = {SIGNATURE_HEADER: signatures.sign(b"{}", secret, int(at))}
        response = system.visitor.ask("POST", "/api/v1/webhooks/payments/sandbox", b"{}", header)
        return str(response.body["detail"])

    assert "missing required field" in refusal_of_call_back(time.time())
    assert "five minutes" in refusal_of_call_back(time.time() - HOUR)
