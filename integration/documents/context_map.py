"""The context map: a column for each context, and a row for each contract with arrows from publisher to consumers.

Nothing can overlap: every contract has a row of its own, and its name is to the left of all columns.
"""

from collections.abc import Sequence

from integration.contracts.contract import IntegrationEvent
from integration.contracts.registry import context_of
from integration.documents.svg import COLOURS, QUIET, Picture, width_of
from integration.messaging.consumers import Consumer

TOP, LEFT, ROW, COLUMN = 80, 20, 26, 150


def draw(contexts: Sequence[str], published: Sequence[tuple[type[IntegrationEvent], Sequence[Consumer]]]) -> str:
    """Draw the map as SVG.

    Args:
        contexts: the columns, in this order.
        published: the contracts with their consumers, in the order of the rows.
    """
    picture = Picture("Context map: contracts with their publishers and consumers")
    names = max((width_of(event.wire_name) for event, _ in published), default=0)
    columns = {context: LEFT + names + COLUMN * place + COLUMN // 2 for place, context in enumerate(contexts)}
    end = TOP + ROW * len(published)
    picture.text(LEFT, 26, picture.title, bold=True)
    for colour, (context, x) in zip(COLOURS, columns.items(), strict=False):
        picture.line((x, TOP - 12), (x, end), ink=QUIET)
        picture.box(x - COLUMN // 2 + 12, TOP - 40, COLUMN - 24, 28, colour)
        picture.text(x, TOP - 22, context, anchor="middle", bold=True)
    for row, (event, consumers) in enumerate(published):
        _draw_row(picture, TOP + ROW * row + ROW // 2 + 4, event.wire_name, consumers, columns)
    legend = (
        "Dot: publisher. Arrow: consumer. Circle: the publisher is a consumer too. "
        "External: the consumer calls another system."
    )
    picture.text(LEFT, end + 30, legend)
    return str(picture)


def _draw_row(picture: Picture, y: int, name: str, consumers: Sequence[Consumer], columns: dict[str, int]) -> None:
    start = columns[context_of(name)]
    picture.text(LEFT, y + 4, name)
    picture.dot(start, y)
    for context in sorted({consumer.context for consumer in consumers}):
        x = columns[context]
        if x == start:
            picture.dot(x, y, radius=9, hollow=True)
        else:
            picture.line((start, y), (x, y), arrow=True)
    external = sorted({consumer.context for consumer in consumers if consumer.external})
    if external:
        picture.text(max(columns.values()) + COLUMN // 2, y + 4, f"external: {', '.join(external)}")
