"""Draws one order's way through the contexts in time order: each contract with its publisher and its consumers.

The steps are those of an order that is paid and delivered. Publishers and consumers are read from the registries, so
the picture always matches the code.
"""

from collections import defaultdict
from collections.abc import Sequence

from integration.contracts.contract import contracts
from integration.contracts.registry import context_of
from integration.documents.svg import COLOURS, QUIET, Picture
from integration.messaging.consumers import consumers_of

STEPS = (
    "ordering.order-placed",
    "inventory.stock-reserved",
    "billing.payment-requested",
    "billing.payment-succeeded",
    "ordering.order-confirmed",
    "ordering.shipping-requested",
    "fulfillment.shipment-arranged",
    "fulfillment.shipment-dispatched",
    "fulfillment.shipment-delivered",
)
"""The wire names of the contracts that are published for such an order, in time order."""

LEFT, TOP, COLUMN, BOX, LINE, GAP = 20, 84, 250, 226, 28, 14


def draw(contexts: Sequence[str]) -> str:
    """Draw the picture as SVG, with a column for each of the contexts, in this order."""
    picture = Picture("One order's way through the contexts")
    columns = {context: LEFT + COLUMN * place + COLUMN // 2 for place, context in enumerate(contexts)}
    heights = [LINE * (2 + max((len(each) for each in _reactions(name).values()), default=0)) + GAP for name in STEPS]
    picture.text(LEFT, 26, f"{picture.title}: time runs from top to bottom", bold=True)
    for colour, (context, x) in zip(COLOURS, columns.items(), strict=False):
        picture.line((x, TOP - 12), (x, TOP + sum(heights)), ink=QUIET)
        picture.box(x - BOX // 2, TOP - 40, BOX, LINE, colour)
        picture.text(x, TOP - 22, context, anchor="middle", bold=True)
    y = TOP
    for name, height in zip(STEPS, heights, strict=True):
        _draw_step(picture, y, name, columns)
        y += height
    picture.text(LEFT, y + 24, "A filled box is an integration event; the boxes it leads to are the reactions to it.")
    return str(picture)


def _draw_step(picture: Picture, y: int, name: str, columns: dict[str, int]) -> None:
    start, publisher = columns[context_of(name)], context_of(name)
    first = y + 2 * LINE
    for context, reactions in _reactions(name).items():
        x = columns[context]
        middle = y + LINE // 2
        picture.line(*([(start, middle)] if x == start else [(start, middle), (x, middle)]), (x, first), arrow=True)
        for place, reaction in enumerate(reactions):
            picture.box(x - BOX // 2, first + LINE * place, BOX, LINE - 4, "#ffffff")
            picture.text(x, first + LINE * place + 16, reaction, anchor="middle")
    colour = COLOURS[list(columns).index(publisher)]
    picture.box(start - BOX // 2, y, BOX, LINE, colour)
    picture.text(start, y + 18, contracts.get(name).__name__, anchor="middle", bold=True)


def _reactions(name: str) -> dict[str, list[str]]:
    """The names of the consumers' functions with spaces instead of underscores, by context."""
    by_context: dict[str, list[str]] = defaultdict(list)
    for consumer in consumers_of(contracts.get(name)):
        by_context[consumer.context].append(consumer.handle.__name__.replace("_", " "))
    return by_context
