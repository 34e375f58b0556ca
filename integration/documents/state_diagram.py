"""Draws a state table: the states in one column, transitions to the next state straight down, and each transition to
another state along a vertical track of its own on the right.

Nothing can overlap. Every arrow leaves and enters a box at its own height, its label is above its own line, and all
tracks are to the right of all labels.
"""

from collections import defaultdict
from typing import NamedTuple

from integration.documents.svg import COLOURS, LINE, Picture, width_of
from integration.domain.states import StateTable

TOP, LEFT, ROUTE = 50, 60, 18


class Arrow(NamedTuple):
    """A transition from one state to another, with the messages that cause it in the order of the table."""

    source: str
    target: str
    messages: list[str]


class Row:
    """A state's box, and the heights at which arrows leave and enter it.

    Args:
        y: the top of the box.
        leaving: the arrows that leave the box for a track; each needs space for the labels above it.
        entering: the arrows that enter the box from a track.
        staying: the messages that the state accepts without a transition.
    """

    def __init__(self, y: int, leaving: list[Arrow], entering: list[Arrow], staying: list[str]) -> None:
        self.y, self.heights = y, {}
        reach = y + 6
        for arrow in leaving:
            reach += LINE * len(arrow.messages) + 6
            self.heights[arrow.source, arrow.target] = reach
        for arrow in entering:
            reach += LINE
            self.heights[arrow.source, arrow.target] = reach
        self.height = max(reach + 10 - y, 24 + LINE * (1 + len(staying)))

    @property
    def end(self) -> int:
        return self.y + self.height


def draw(title: str, table: StateTable) -> str:
    """Draw the table as SVG. Messages that a state ignores, refuses or cannot handle yet are left out."""
    arrows, staying = _arrows(table)
    down = {(a.source, a.target) for a in arrows if _leads_on(table, a)}
    by_route = [arrow for arrow in arrows if (arrow.source, arrow.target) not in down]
    wide = max(width_of(_label(state)) for state in table.states)
    wide = max([wide, *(width_of(_stay(message)) for messages in staying.values() for message in messages)]) + 24
    labels = max((width_of(_label(message)) for arrow in arrows for message in arrow.messages), default=0)
    first_route = LEFT + max(wide + 10, wide // 2 + 20) + labels + ROUTE
    picture = Picture(title)
    picture.text(LEFT, 26, title, bold=True)
    rows: dict[str, Row] = {}
    y = TOP
    for state in table.states:
        leaving = [arrow for arrow in by_route if arrow.source == state]
        entering = [arrow for arrow in by_route if arrow.target == state]
        rows[state] = Row(y, leaving, entering, staying[state])
        straight = [arrow for arrow in arrows if arrow.source == state and (arrow.source, arrow.target) in down]
        y = rows[state].end + max(30, sum(LINE * len(arrow.messages) + 16 for arrow in straight))
        for arrow in straight:
            _draw_down(picture, arrow, LEFT + wide // 2, rows[state].end, y)
    for route, arrow in enumerate(sorted(by_route, key=lambda arrow: _span(table, arrow))):
        _draw_route(picture, arrow, rows, LEFT + wide, first_route + ROUTE * route)
    for number, state in enumerate(table.states):
        _draw_state(picture, table, state, rows[state], wide, staying[state], COLOURS[number % len(COLOURS)])
    return str(picture)


def _arrows(table: StateTable) -> tuple[list[Arrow], dict[str, list[str]]]:
    """The transitions between states, and for each state the messages that it accepts without a transition."""
    leading: dict[tuple[str, str], list[str]] = defaultdict(list)
    staying: dict[str, list[str]] = defaultdict(list)
    for source, message, target in table.transitions():
        (staying[source] if source == target else leading[source, target]).append(message)
    return [Arrow(source, target, messages) for (source, target), messages in leading.items()], staying


def _leads_on(table: StateTable, arrow: Arrow) -> bool:
    return table.states.index(arrow.target) == table.states.index(arrow.source) + 1


def _span(table: StateTable, arrow: Arrow) -> int:
    return abs(table.states.index(arrow.target) - table.states.index(arrow.source))


def _draw_down(picture: Picture, arrow: Arrow, x: int, start: int, end: int) -> None:
    picture.line((x, start), (x, end), arrow=True)
    for number, message in enumerate(arrow.messages):
        picture.text(x + 10, start + 20 + LINE * number, _label(message))


def _draw_route(picture: Picture, arrow: Arrow, rows: dict[str, Row], edge: int, route: int) -> None:
    key = (arrow.source, arrow.target)
    out, into = rows[arrow.source].heights[key], rows[arrow.target].heights[key]
    picture.line((edge, out), (route, out), (route, into), (edge, into), arrow=True)
    for number, message in enumerate(reversed(arrow.messages)):
        picture.text(edge + 10, out - 4 - LINE * number, _label(message))


def _draw_state(
    picture: Picture, table: StateTable, state: str, row: Row, wide: int, staying: list[str], colour: str
) -> None:
    picture.box(LEFT, row.y, wide, row.height, colour, double=state in table.final_states())
    base = row.y + row.height // 2 + 4 - LINE * len(staying) // 2
    picture.text(LEFT + wide // 2, base, _label(state), anchor="middle", bold=True)
    for number, message in enumerate(staying, 1):
        picture.text(LEFT + wide // 2, base + LINE * number, _stay(message), anchor="middle")
    if all(target != state for source, _, target in table.transitions() if source != target):
        # No transition leads to this state, so it is an initial state.
        picture.dot(LEFT - 36, row.y + row.height // 2)
        picture.line((LEFT - 30, row.y + row.height // 2), (LEFT, row.y + row.height // 2), arrow=True)


def _label(name: str) -> str:
    return name.replace("_", " ")


def _stay(message: str) -> str:
    return f"stay: {_label(message)}"
