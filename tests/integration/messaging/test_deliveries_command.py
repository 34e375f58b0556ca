"""`manage.py deliveries`: operators without a browser can see and do the same as in the admin."""

from collections.abc import Callable
from io import StringIO
from json import loads
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command

from integration.domain import clock
from integration.management import listing
from integration.messaging.models import Delivery, Status

pytestmark = pytest.mark.django_db

Listen = Callable[..., None]
RunOut = Callable[..., None]
Find = Callable[..., Delivery]


def run(*arguments: object) -> str:
    out = StringIO()
    call_command("deliveries", *map(str, arguments), stdout=out)
    return out.getvalue()


@pytest.fixture
def dead(listen: Listen, run_out: RunOut) -> Callable[..., None]:
    """Dead letters about these skus, to two consumers."""
    listen(print, name="inventory.reorder")
    listen(print, name="billing.mail")

    def make_dead(*skus: str) -> None:
        run_out(*skus)
        Delivery.objects.update(status=Status.DEAD, attempts=8, error="KeyError: [shelf]\nmore of it")

    return make_dead


def statuses() -> set[tuple[str, str, str]]:
    return set(Delivery.objects.values_list("message__data__sku", "consumer", "status"))


def test_without_a_verb_the_backlog_of_every_consumer_is_printed(
    dead: Callable[..., None], run_out: RunOut, listen: Listen
) -> None:
    dead("MUG", "LAMP")
    listen(print, name="billing.idle")
    run_out("ATLAS")

    lines = [line.split("│")[1:-1] for line in run().splitlines() if "│" in line]

    cells = {line[0].strip(): [cell.strip() for cell in line[1:]] for line in lines}
    assert list(cells) == ["billing.idle", "billing.mail", "inventory.reorder"]
    assert cells["billing.mail"][:4] == cells["inventory.reorder"][:4] == ["1", "0", "0", "2"]
    assert cells["billing.mail"][4].endswith(" s")


def test_an_empty_backlog_has_no_age(listen: Listen) -> None:
    listen(print)

    assert run().count("–") == 2, "it has no age, and is not paused"


def test_list_shows_deliveries_newest_first(dead: Callable[..., None], statements: Callable[[], Any]) -> None:
    dead("MUG", "LAMP", "ATLAS")
    ids = [str(id) for id in Delivery.objects.order_by("-pk").values_list("pk", flat=True)]

    with statements() as seen:
        listed = run("list")

    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in listed.splitlines() if "│" in line]
    assert [row[0] for row in rows] == ids
    assert rows[0][1:5] == ["inventory.stock-ran-out", "billing.mail", "dead", "8"]
    assert rows[0][6] == "KeyError: [shelf]"
    assert len(seen) == 1


def test_list_can_be_filtered(dead: Callable[..., None], run_out: RunOut) -> None:
    dead("MUG", "LAMP")
    run_out("ATLAS")

    def count(*arguments: str) -> int:
        return run("list", *arguments).count("inventory.stock-ran-out")

    assert count() == 6
    assert count("--status", "dead") == 4
    assert count("--status", "dead", "--consumer", "billing.mail") == 2
    assert count("--limit", "1") == 1
    assert count("--status", "done") == 0


def test_a_long_error_is_truncated(dead: Callable[..., None]) -> None:
    dead("MUG")
    Delivery.objects.update(error="KeyError: " + "x" * 1_000)

    assert max(len(line) for line in run("list").splitlines()) <= 160
    assert "…" in run("list")


def test_list_shows_the_reason_for_skipping(dead: Callable[..., None]) -> None:
    dead("MUG")
    run("skip", Delivery.objects.earliest("pk").pk, "--reason", "sold by the lorry")

    assert "sold by the lorry" in run("list", "--status", "skipped")


def test_replay_with_ids_replays_those_deliveries(dead: Callable[..., None], woken: list[Any]) -> None:
    dead("MUG", "LAMP")
    first, second, *_ = Delivery.objects.order_by("pk").values_list("pk", flat=True)

    assert run("replay", first, second, first) == "Deliveries to retry now: 2.\n"

    assert Delivery.objects.filter(status=Status.PENDING, attempts=0, pk__in=[first, second]).count() == 2
    assert Delivery.objects.filter(status=Status.DEAD).count() == 2


def test_replay_with_ids_replays_all_of_them_or_none(dead: Callable[..., None]) -> None:
    dead("MUG")
    first, second = Delivery.objects.order_by("pk")
    Delivery.objects.filter(pk=second.pk).update(status=Status.DONE, done_at=clock.now())

    with pytest.raises(CommandError, match=f"Delivery {second.pk} is done, and stays so"):
        run("replay", first.pk, second.pk)
    with pytest.raises(CommandError, match="There is no such delivery"):
        run("replay", first.pk, 999_999)

    first.refresh_from_db()
    assert first.status == Status.DEAD


@pytest.mark.parametrize(
    ("arguments", "replayed"),
    [
        (["--consumer", "billing.mail"], 3),
        (["--status", "dead"], 4),
        (["--status", "dead", "--consumer", "billing.mail"], 2),
        (["--all"], 6),
        (["--consumer", "nobody"], 0),
    ],
)
def test_replay_accepts_a_filter_or_all(
    dead: Callable[..., None], run_out: RunOut, arguments: list[str], replayed: int
) -> None:
    dead("MUG", "LAMP")
    run_out("ATLAS")

    assert run("replay", *arguments) == f"Deliveries to retry now: {replayed}.\n"


@pytest.mark.parametrize("arguments", [[], ["1", "--all"], ["--all", "--consumer", "x"], ["1", "--status", "dead"]])
def test_replay_requires_a_selection(dead: Callable[..., None], arguments: list[str]) -> None:
    dead("MUG")

    with pytest.raises(CommandError, match="Specify IDs"):
        run("replay", *arguments)

    assert {status for *_, status in statuses()} == {Status.DEAD}


def test_skip_records_the_reason(dead: Callable[..., None]) -> None:
    dead("MUG")
    first = Delivery.objects.earliest("pk")

    assert run("skip", first.pk, "--reason", "sold by the lorry") == (
        f"Skipped inventory.stock-ran-out to {first.consumer}, for good.\n"
    )

    first.refresh_from_db()
    assert (first.status, first.skip_reason, first.skipped_by) == (
        Status.SKIPPED,
        "sold by the lorry",
        "command line",
    )


@pytest.mark.parametrize("reason", ["", "  "])
def test_skip_requires_a_reason(dead: Callable[..., None], reason: str) -> None:
    dead("MUG")
    id = Delivery.objects.earliest("pk").pk

    with pytest.raises(CommandError, match="Give the reason"):
        run("skip", id, "--reason", reason)
    with pytest.raises(CommandError, match="--reason"):
        run("skip", id)

    assert Delivery.objects.filter(status=Status.DEAD).count() == 2


def test_skip_accepts_only_failed_deliveries(listen: Listen, run_out: RunOut, delivery: Find) -> None:
    listen(print)
    run_out("MUG")

    with pytest.raises(CommandError, match="has not failed"):
        run("skip", delivery().pk, "--reason", "why not")
    with pytest.raises(CommandError, match="There is no such delivery"):
        run("skip", 999_999, "--reason", "why not")


@pytest.mark.parametrize("arguments", [["list", "--limit", "0"], ["list", "--status", "lost"], ["mend"], ["skip", "x"]])
def test_invalid_arguments_are_an_error(arguments: list[str], db: None) -> None:
    with pytest.raises(CommandError):
        run(*arguments)


@pytest.mark.parametrize("columns", [20, 40, 80, 120])
def test_the_id_is_whole_on_every_terminal(
    dead: Callable[..., None], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    dead("MUG", "LAMP")
    Delivery.objects.update(error="KeyError: " + "x" * 1_000)
    monkeypatch.setattr(listing, "WIDTH_OF_A_FILE", columns)

    listed = run("list")

    for id in Delivery.objects.values_list("pk", flat=True):
        assert f" {id} " in listed
    if columns >= 80:
        assert " dead " in listed
        assert "billing" in listed
        assert max(map(len, listed.splitlines())) <= columns


def test_every_list_is_printed_as_json_too(dead: Callable[..., None]) -> None:
    dead("MUG", "LAMP")
    newest = Delivery.objects.latest("pk")

    row, *_ = loads(run("list", "--json"))
    counts = {each["consumer"]: each["dead"] for each in loads(run("--json"))}

    assert (row["id"], row["consumer"], row["status"]) == (newest.pk, newest.consumer, "dead")
    assert row["error"] == newest.error, "the whole error"
    assert UUID(row["correlation_id"]) == newest.message.correlation_id
    assert counts["billing.mail"] == 2
    assert len(loads(run("list", "--limit", "1", "--json"))) == 1
    for command, *verb in (["consumers"], ["read_models"], ["contracts", "list"]):
        out = StringIO()
        call_command(command, *verb, "--json", stdout=out)
        assert loads(out.getvalue()), command


def test_a_paused_consumer_says_so_in_json(dead: Callable[..., None]) -> None:
    dead("MUG")
    call_command("consumers", "pause", "billing.mail", "--reason", "the mail server moves", stdout=StringIO())

    [paused] = [each["paused"] for each in loads(run("--json")) if each["paused"]]

    assert paused["reason"] == "the mail server moves"
