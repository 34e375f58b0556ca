"""An aggregate's life as a table: for every (state, message) a transition, or how the state treats the message.

The table is the rule. Methods ask it before they record anything, tests walk the whole of it, and the pictures in the
docs are drawn from it.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import Enum

from integration.domain.errors import NotYet, Refused


class Response(Enum):
    """How a state treats a message that leads to no other state."""

    STAY = "stay"
    """The message is accepted, and the aggregate stays in the state it is in."""
    IGNORE = "ignore"
    """The message is out of date or has taken effect already: nothing happens."""
    REFUSE = "refuse"
    """The message is against the rules: the caller gets an error."""
    NOT_YET = "not yet"
    """The message that this one builds upon has not arrived: this one is retried soon."""


STAY, IGNORE, REFUSE, NOT_YET = Response.STAY, Response.IGNORE, Response.REFUSE, Response.NOT_YET


def by_state(states: type[Enum]) -> Callable[..., dict[str, str | Response]]:
    """A function that makes a row of a table: the answers in the order of the states, as they stand above it."""

    def row(*responses: str | Response) -> dict[str, str | Response]:
        return dict(zip((str(state.value) for state in states), responses, strict=True))

    return row


class NotAllowed(Refused):
    """The state of the thing does not allow this."""


class StateTable:
    """Which messages an aggregate takes in which state.

    Args:
        states: all states, the first one reached at birth.
        messages: per message, per state, the other state it leads to or a `Response`.

    Raises:
        ValueError: when a pair is missing, a target is no state, or a target is the state itself: that is `STAY`.
    """

    def __init__(self, states: type[Enum], messages: Mapping[str, Mapping[str, str | Response]]) -> None:
        self.states = [str(state.value) for state in states]
        self.messages = messages
        for message, responses in messages.items():
            if set(responses) != set(self.states):
                raise ValueError(f"{message}: needs a cell for exactly {self.states}")
            for state, response in responses.items():
                if not isinstance(response, Response) and response not in self.states:
                    raise ValueError(f"{message}: {response} is no state")
                if response == state:
                    raise ValueError(f"{message}: write STAY where {state} leads to itself")

    def accepts(self, message: str, state: str, what: str) -> bool:
        """Whether `message` is to be acted upon in `state`; False when it is to be ignored.

        Args:
            what: the thing, as error messages name it.

        Raises:
            NotAllowed: the table refuses the message.
            NotYet: the message came too early.
        """
        response = self.messages[message][state]
        if response is REFUSE:
            raise NotAllowed(f"{what} is {state.replace('_', ' ')}: cannot {message.replace('_', ' ')}")
        if response is NOT_YET:
            raise NotYet(f"{what} is still {state.replace('_', ' ')}: too early to {message.replace('_', ' ')}")
        return response is not IGNORE

    def transitions(self) -> Iterator[tuple[str, str, str]]:
        """All (state, message, next state) in which the message is accepted; with `STAY` both states are the same."""
        for message, responses in self.messages.items():
            for state, response in responses.items():
                if response is STAY:
                    yield state, message, state
                elif not isinstance(response, Response):
                    yield state, message, response

    def leads(self, state: str | None, target: str) -> bool:
        """Whether an aggregate may come from one state to another with one event, or stay where it is."""
        return state == target or any((state, target) == (start, end) for start, _, end in self.transitions())

    def final_states(self) -> set[str]:
        """The states nothing leads out of."""
        return set(self.states) - {state for state, _, target in self.transitions() if target != state}
