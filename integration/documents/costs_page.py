"""`docs/costs.md`: what each command, each reaction and a whole order cost, as a test counted it."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

INTRODUCTION = """\
# What it costs

Written by `manage.py document` from `docs/costs.json`; do not edit. `tests/test_queries.py` counts all of it on real
transactions, on SQLite and on PostgreSQL, which must agree, and fails when a number is another one. `make costs`
records what everything costs now; the diff of `docs/costs.json` shows who has become dearer.

* A *statement* is a round trip to the database. BEGIN and COMMIT are not counted: they are one more each for every
  transaction on PostgreSQL.
* A *commit* is a transaction that changed something: PostgreSQL waits for the disk at its end. One that only looked is
  none.
* A *message* is a contract told to other contexts, whatever the number of those who listen.
* A *wake-up* is a task sent through the broker.
* Orders have three lines here. An order of 2,000 lines takes as many statements; that is tested, too.
* Where something can go several ways, the dearest is told.
"""
OF_AN_ORDER = """\
## A whole order

From placing until its shipment is arranged and the buyer is told. One worker answers every wake-up in the order in
which they were sent, also those that find nothing left to do.
"""
OF_REACTIONS = """\
## Reactions

What it takes to claim what waits for a reaction, to handle it, to mark it done, and to see that nothing is left: for
one event, and for {} that wait together. **Bold** is what grows with their number. Messages do so of their nature.
"""
ALONE = "alone"
COUNTED = Path(__file__).parents[2] / "docs" / "costs.json"


def costs_page() -> str:
    """The whole page, as Markdown; raises `FileNotFoundError` when nothing was ever recorded."""
    costs = json.loads(COUNTED.read_text())
    return "\n".join(
        [INTRODUCTION, *_order(costs["order"]), *_commands(costs["commands"]), *_reactions(costs["reactions"])]
    )


def _order(order: dict[str, Any]) -> Iterator[str]:
    yield OF_AN_ORDER
    for costs in order.values():
        (_, alone), (batch, together) = costs.items()
        orders = _size(batch)
        yield "| | statements | commits | messages | wake-ups |\n|---|--:|--:|--:|--:|"
        yield _row("one order alone", alone)
        yield _row(f"{orders} placed at once, each", [round(number / orders, 1) for number in together])
        yield _row(f"{orders} placed at once, all", together) + "\n"


def _commands(commands: dict[str, Any]) -> Iterator[str]:
    yield "## Commands\n"
    yield "| command | statements | commits | messages | wake-ups |\n|---|--:|--:|--:|--:|"
    yield from (_row(_code(name), costs[ALONE]) for name, costs in commands.items())
    yield ""


def _reactions(reactions: dict[str, Any]) -> Iterator[str]:
    (_, batch) = next(iter(reactions.values()))
    yield OF_REACTIONS.format(batch.removeprefix("of "))
    heads = ("statements", "commits", "messages", "wake-ups")
    yield _row("reaction", [head for what in heads for head in (what, batch)])
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    for name, costs in reactions.items():
        told = zip(heads, costs[ALONE], costs[batch], strict=True)
        yield _row(_code(name), [cell for what, one, all_ in told for cell in (one, _together(what, one, all_))])
    yield ""


def _together(what: str, alone: int, together: int) -> str:
    return f"**{together}**" if together > alone and what != "messages" else str(together)


def _code(name: str) -> str:
    what, comma, when = name.partition(",")
    return f"`{what}`{comma}{when}"


def _size(batch: str) -> int:
    return int(batch.removeprefix("of "))


def _row(name: str, numbers: Sequence[Any]) -> str:
    return "| " + " | ".join([name, *map(str, numbers)]) + " |"
