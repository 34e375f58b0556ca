"""A consumer whose last deliveries all died pauses itself and is probed; operators pause and resume consumers."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from integration.contracts.inventory import StockRanOut
from integration.domain import clock
from integration.messaging import holding
from integration.messaging.back_off import bring_forward
from integration.messaging.consumer_states import (
    AN_OUTAGE,
    NoReasonToPause,
    NoSuchConsumer,
    NotPaused,
    pause,
    resume,
    states,
)
from integration.messaging.dead_letters import replay
from integration.messaging.holding import PROBED_EVERY, hold_and_release
from integration.messaging.models import HELD, ConsumerState, Delivery, Status
from integration.messaging.retries import Retries
from integration.messaging.standing import standing
from integration.messaging.wakeups import DeliveryQueue

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stopped_clock")]

NAME, OTHER = "inventory.reorder", "inventory.count"
ONCE = Retries(attempts=1, longest_wait=timedelta(seconds=1))
DEATHS = 3

Listen = Callable[..., None]
RunOut = Callable[..., None]
Deliver = Callable[[], int]
Statements = Callable[[], Any]


@pytest.fixture(autouse=True)
def few_deaths(settings: Any) -> None:
    settings.PAUSE_AFTER_DEATHS = DEATHS


class Peer:
    """What a consumer needs in order to succeed, and the SKUs that it was asked about."""

    def __init__(self) -> None:
        self.works = True
        self.poison: set[str] = set()
        self.asked: list[str] = []

    def ask(self, event: StockRanOut) -> None:
        self.asked.append(event.sku)
        if not self.works or event.sku in self.poison:
            raise OSError("no line")


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture(params=[False, True], ids=["in the database", "external"])
def sick(request: pytest.FixtureRequest, peer: Peer, listen: Listen, run_out: RunOut, deliver: Deliver) -> Peer:
    """A consumer that has paused itself, in the database or external."""
    listen(peer.ask, name=NAME, retries=ONCE, external=request.param)
    peer.works = False
    run_out(*(f"DEAD-{n}" for n in range(DEATHS)))
    deliver()
    peer.asked.clear()
    assert states()[NAME].is_paused
    return peer


def _pending() -> Counter[tuple[int, bool]]:
    """The attempts of pending deliveries, and whether they are held."""
    rows = Delivery.objects.filter(status=Status.PENDING).values_list("attempts", "due_at")
    return Counter((attempts, due_at == HELD) for attempts, due_at in rows)


def _minute(deliver: Deliver) -> None:
    """Let a minute pass, with its routine and its wake-ups."""
    clock.advance(PROBED_EVERY)
    hold_and_release()
    deliver()


# --- It pauses itself ---


def test_it_pauses_itself_after_so_many_deaths_in_a_row(
    peer: Peer, listen: Listen, run_out: RunOut, deliver: Deliver, caplog: pytest.LogCaptureFixture
) -> None:
    listen(peer.ask, name=NAME, retries=ONCE)
    peer.works = False
    for n in range(DEATHS - 1):
        run_out(f"S{n}")
        deliver()
    assert not states()[NAME].is_paused
    assert "has paused itself" not in caplog.text

    run_out("LAST")
    deliver()

    state = states()[NAME]
    assert (state.paused_by, state.reason) == ("system", "Its last 3 deliveries all became dead letters.")
    assert f"{NAME} has paused itself" in caplog.text


def test_a_success_in_between_starts_the_count_again(
    peer: Peer, listen: Listen, run_out: RunOut, deliver: Deliver
) -> None:
    listen(peer.ask, name=NAME, retries=ONCE)
    peer.poison = {f"BAD{n}" for n in range(2 * DEATHS)}
    for n in range(2 * DEATHS):
        run_out(f"BAD{n}")
        deliver()
        run_out(f"GOOD{n}")
        deliver()

    assert not states()[NAME].is_paused
    assert ConsumerState.objects.get(pk=NAME).deaths == 0


def test_failures_that_are_not_deaths_do_not_pause_it(
    peer: Peer, listen: Listen, run_out: RunOut, deliver: Deliver
) -> None:
    listen(peer.ask, name=NAME, retries=Retries(50, timedelta(seconds=1)))
    peer.works = False
    run_out("MUG")
    for _ in range(10 * DEATHS):
        clock.advance(timedelta(seconds=1))
        deliver()

    assert not states()[NAME].is_paused


def test_deliveries_of_a_paused_consumer_wait_without_charging_attempts(
    sick: Peer, run_out: RunOut, deliver: Deliver
) -> None:
    run_out("MUG", "LAMP")

    deliver()

    assert sick.asked == []
    assert _pending() == {(0, True): 2}


def test_other_consumers_go_on(peer: Peer, listen: Listen, run_out: RunOut, deliver: Deliver) -> None:
    handled: list[str] = []
    listen(peer.ask, name=NAME)
    listen(lambda event: handled.append(event.sku), name=OTHER)
    pause(NAME, "it is wrong", "user:1")
    run_out("MUG")

    deliver()

    assert (handled, peer.asked) == (["MUG"], [])


# --- Probes ---


def test_one_delivery_a_minute_is_tried_and_charged_nothing(sick: Peer, run_out: RunOut, deliver: Deliver) -> None:
    run_out("MUG", "LAMP")
    deliver()
    for seconds in (0, 30, 30, 30, 30):
        clock.advance(timedelta(seconds=seconds))
        hold_and_release()
        deliver()

    assert sick.asked == ["MUG", "LAMP"], "in turn"
    dead = Delivery.objects.filter(status=Status.DEAD).count()
    assert dead == DEATHS + 2, "with a single attempt, a probe that fails is the last one"


def test_a_failed_probe_is_held_again(peer: Peer, listen: Listen, run_out: RunOut, deliver: Deliver) -> None:
    listen(peer.ask, name=NAME, retries=Retries(2, timedelta(seconds=1)))
    peer.works = False
    run_out(*(f"DEAD-{n}" for n in range(DEATHS)))
    for _ in range(2):
        deliver()
        clock.advance(timedelta(seconds=1))
    run_out("MUG")
    deliver()
    for _ in range(5):
        _minute(deliver)

    assert peer.asked.count("MUG") == 5
    assert _pending() == {(0, True): 1}


def test_it_resumes_itself_when_a_probe_succeeds(
    sick: Peer, run_out: RunOut, deliver: Deliver, caplog: pytest.LogCaptureFixture
) -> None:
    run_out("MUG", "LAMP", "ATLAS")
    deliver()
    sick.works = True

    _minute(deliver)
    assert sick.asked == ["MUG"]
    assert not states()[NAME].is_paused
    assert f"{NAME} has resumed itself" in caplog.text

    hold_and_release()
    deliver()
    assert sick.asked == ["MUG", "LAMP", "ATLAS"]
    assert not ConsumerState.objects.get(pk=NAME).releasing


def test_a_poisonous_delivery_does_not_hide_that_others_succeed(sick: Peer, run_out: RunOut, deliver: Deliver) -> None:
    sick.works, sick.poison = True, {"POISON"}
    run_out("POISON", "MUG")
    deliver()

    _minute(deliver)
    assert states()[NAME].is_paused
    _minute(deliver)
    assert not states()[NAME].is_paused


def test_with_nothing_to_probe_the_next_delivery_is_the_probe(sick: Peer, run_out: RunOut, deliver: Deliver) -> None:
    for _ in range(3):
        _minute(deliver)
    sick.works = True
    run_out("MUG")
    deliver()
    hold_and_release()
    deliver()

    assert sick.asked == ["MUG"]
    assert not states()[NAME].is_paused


def test_a_replayed_delivery_of_a_paused_consumer_waits(sick: Peer, deliver: Deliver) -> None:
    replay(Delivery.objects.all())

    deliver()

    assert sick.asked == []
    assert _pending() == {(0, True): DEATHS}


# --- By an operator ---


def test_an_operator_pauses_and_resumes(peer: Peer, listen: Listen, run_out: RunOut, deliver: Deliver) -> None:
    listen(peer.ask, name=NAME)
    pause(NAME, " wrong letters ", "user:1")
    run_out("MUG")
    for _ in range(3):
        _minute(deliver)
    state = states()[NAME]
    assert (state.paused_by, state.reason, peer.asked) == ("user:1", "wrong letters", []), "it is not probed"

    assert resume(NAME, "user:2").resumed_by == "user:2"
    hold_and_release()
    deliver()

    state = states()[NAME]
    assert (state.is_paused, state.resumed_by, peer.asked) == (False, "user:2", ["MUG"])


def test_an_operator_takes_over_from_the_consumer_itself(sick: Peer, run_out: RunOut, deliver: Deliver) -> None:
    run_out("MUG")
    deliver()
    pause(NAME, "the supplier closed", "user:1")
    sick.works = True

    _minute(deliver)

    assert sick.asked == []


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda: pause("inventory.nothing", "why not", "user:1"), NoSuchConsumer),
        (lambda: pause(NAME, "  ", "user:1"), NoReasonToPause),
        (lambda: resume("inventory.nothing", "user:1"), NoSuchConsumer),
        (lambda: resume(NAME, "user:1"), NotPaused),
    ],
)
def test_what_makes_no_sense_is_refused(listen: Listen, act: Callable[[], object], error: type[Exception]) -> None:
    listen(print, name=NAME)

    with pytest.raises(error):
        act()


def test_a_delivery_claimed_before_the_consumer_was_paused_is_finished(
    peer: Peer, listen: Listen, run_out: RunOut, deliver: Deliver
) -> None:
    def ask(event: StockRanOut) -> None:
        pause(NAME, "in the middle", "user:1")
        peer.ask(event)

    listen(ask, name=NAME, external=True)
    run_out("MUG")
    deliver()

    assert Delivery.objects.get().status == Status.DONE


def test_a_claim_that_saw_the_pause_is_not_held_after_the_resume(
    peer: Peer, listen: Listen, run_out: RunOut, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    from integration.messaging import deliver as delivering

    def resume_first(name: str, claims: Any) -> None:
        if states()[NAME].is_paused:
            resume(NAME, "user:1")
        holding.hold(name, claims)

    listen(peer.ask, name=NAME)
    pause(NAME, "for a moment", "user:1")
    run_out("MUG")
    monkeypatch.setattr(delivering, "hold", resume_first)

    deliver()

    assert Delivery.objects.get().due_at <= clock.now()


# --- Many ---


def test_what_was_due_is_held_in_one_go_and_released_in_portions(
    peer: Peer, listen: Listen, run_out: RunOut, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "AT_ONCE", 4)
    monkeypatch.setattr(holding, "MOST_RELEASED", 3)
    listen(peer.ask, name=NAME)
    run_out(*(f"S{n}" for n in range(10)))
    pause(NAME, "too many", "user:1")
    hold_and_release()
    assert _pending() == {(0, True): 10}

    resume(NAME, "user:1")
    released = []
    for _ in range(5):
        hold_and_release()
        released.append(deliver())

    assert released == [3, 3, 3, 1, 0]
    assert peer.asked == [f"S{n}" for n in range(10)]


def test_held_deliveries_are_not_brought_forward_and_orphans_are(
    peer: Peer, listen: Listen, run_out: RunOut, deliver: Deliver
) -> None:
    listen(peer.ask, name=NAME)
    pause(NAME, "wait", "user:1")
    run_out("MUG")
    deliver()

    bring_forward()
    assert _pending() == {(0, True): 1}

    ConsumerState.objects.all().delete()
    bring_forward()
    assert _pending() == {(0, False): 1}


def test_a_plain_delivery_takes_no_statement_more(
    peer: Peer, listen: Listen, run_out: RunOut, deliver: Deliver, statements: Statements
) -> None:
    listen(peer.ask, name=NAME)
    run_out("MUG")

    with statements() as seen:
        deliver()

    assert [sql for sql in seen if "consumerstate" in sql and "UPDATE integration_delivery" not in sql] == []


# --- An external system that was away ---


def test_one_success_brings_forward_what_waits_for_the_external_system(
    peer: Peer, listen: Listen, run_out: RunOut, deliver: Deliver
) -> None:
    listen(peer.ask, name=NAME, external=True)
    peer.works = False
    run_out(*(f"S{n}" for n in range(AN_OUTAGE)))
    deliver()
    Delivery.objects.update(due_at=clock.now() + timedelta(hours=5))
    peer.works = True
    peer.asked.clear()

    run_out("MUG")
    deliver()
    deliver()

    assert sorted(peer.asked) == ["MUG", "S0", "S1", "S2"]


def test_a_single_failure_is_not_an_outage(peer: Peer, listen: Listen, run_out: RunOut, deliver: Deliver) -> None:
    listen(peer.ask, name=NAME, external=True)
    peer.poison = {"BAD"}
    run_out("BAD")
    deliver()
    Delivery.objects.update(due_at=clock.now() + timedelta(hours=5))
    for n in range(3):
        run_out(f"S{n}")
        deliver()

    assert peer.asked == ["BAD", "S0", "S1", "S2"]


# --- What operators see ---


def _command(*arguments: str) -> str:
    output = StringIO()
    call_command(*arguments, stdout=output)
    return output.getvalue()


def test_the_commands_show_pause_and_resume(peer: Peer, listen: Listen, run_out: RunOut, deliver: Deliver) -> None:
    listen(peer.ask, name=NAME, external=True)
    _command("consumers", "pause", NAME, "--reason", "the supplier moves")
    run_out("MUG")
    deliver()
    clock.advance(timedelta(seconds=90))

    for command in ("consumers", "deliveries"):
        shown = _command(command)
        assert "by command line" in shown
        assert "supplier" in shown
    assert "2.38 days" in _command("consumers")
    assert (standing(NAME).held, standing(NAME).oldest) == (1, 90.0)

    _command("consumers", "resume", NAME)
    assert not states()[NAME].is_paused
    with pytest.raises(CommandError, match="is not paused"):
        _command("consumers", "resume", NAME)


def test_a_wake_up_is_sent_for_what_is_released(
    peer: Peer, listen: Listen, run_out: RunOut, deliver: Deliver, woken: list[DeliveryQueue]
) -> None:
    listen(peer.ask, name=NAME, external=True)
    pause(NAME, "wait", "user:1")
    run_out("MUG")
    deliver()
    woken.clear()

    resume(NAME, "user:1")
    hold_and_release()

    assert woken == [DeliveryQueue("inventory", True)]
