"""A state table defines the life of an aggregate: for every state and message, a transition or another response.

Aggregate methods consult the table before they record an event. Tests walk through the whole table, and the state
diagrams in the documentation are drawn from it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum

from integration.domain.errors import NotYet, Refused


class Response(Enum):
    """How a state responds to a message that leads to no other state."""

    STAY = "stay"
    """The message is accepted, and the aggregate stays in its state."""
    IGNORE = "ignore"
    """The message is out of date or has taken effect already: nothing happens."""
    REFUSE = "refuse"
    """The message is not allowed: the caller gets an error."""
    NOT_YET = "not yet"
    """The message depends on one that has not arrived: it is retried soon."""


STAY, IGNORE, REFUSE, NOT_YET = Response.STAY, Response.IGNORE, Response.REFUSE, Response.NOT_YET


def by_state(states: type[Enum]) -> Callable[..., dict[str, str | Response]]:
    """Return a function that builds a row of a state table from responses in the order of `states`.

    A table in the source can then have a header line with the states, and one column for each state.
    """

    def row(*responses: str | Response) -> dict[str, str | Response]:
        return dict(zip((str(state.value) for state in states), responses, strict=True))

    return row


class NotAllowed(Refused):
    """The current state of the object does not allow this."""


class StateTable:
    """The messages that an aggregate accepts in each state.

    Args:
        states: all states; the first is the state of a new aggregate.
        messages: for each message and each state, the next state or a `Response`.

    Raises:
        ValueError: when a pair is missing, when a next state is unknown, or when it is the same state: write `STAY`.
    """

    def __init__(self, states: type[Enum], messages: Mapping[str, Mapping[str, str | Response]]) -> None:
        self.states = [str(state.value) for state in states]
        self.messages = messages
        for message, responses in messages.items():
            if set(responses) != set(self.states):
                raise ValueError(f"{message}: needs one cell for each of {self.states}, and no other")
            for state, response in responses.items():
                if not isinstance(response, Response) and response not in self.states:
                    raise ValueError(f"{message}: {response} is not a state")
                if response == state:
                    raise ValueError(f"{message}: write STAY where {state} leads to itself")

    def accepts(self, message: str, state: str, what: str) -> bool:
        """Return whether to act upon `message` in `state`: True to act, False to ignore it.

        Args:
            message: the message, as the table names it.
            state: the aggregate's current state.
            what: the aggregate, as error messages name it.

        Raises:
            NotAllowed: when the table refuses the message.
            NotYet: when the message arrived too early.
        """
        response = self.messages[message][state]
        if response is REFUSE:
            raise NotAllowed(f"{what} is {state.replace('_', ' ')}: cannot {message.replace('_', ' ')}")
        if response is NOT_YET:
            raise NotYet(f"{what} is still {state.replace('_', ' ')}: too early to {message.replace('_', ' ')}")
        return response is not IGNORE

    def why_not(self, message: str, state: str) -> str:
        """Return why `state` does not act upon `message`, as the end of a sentence for people; empty if it does.

        It also names the states that do, such as `it is shipped; possible only while pending or confirmed`.
        """
        if self._acts(self.messages[message][state]):
            return ""
        able = [each for each, response in self.messages[message].items() if self._acts(response)]
        words = [each.replace("_", " ") for each in (state, *able)]
        return f"it is {words[0]}" + (f"; possible only while {_one_of(words[1:])}" if able else "")

    @staticmethod
    def _acts(response: str | Response) -> bool:
        return response is STAY or not isinstance(response, Response)

    def transitions(self) -> Iterator[tuple[str, str, str]]:
        """Yield (state, message, next state) for every accepted message; for `STAY` both states are the same."""
        for message, responses in self.messages.items():
            for state, response in responses.items():
                if response is STAY:
                    yield state, message, state
                elif not isinstance(response, Response):
                    yield state, message, response

    def leads(self, state: str | None, target: str) -> bool:
        """Return whether one event can lead from `state` to `target`. Staying in the same state is always possible."""
        return state == target or any((state, target) == (start, end) for start, _, end in self.transitions())

    def final_states(self) -> set[str]:
        """Return the states without a transition to another state."""
        return set(self.states) - {state for state, _, target in self.transitions() if target != state}


def _one_of(words: Sequence[str]) -> str:
    """The words as a choice: `pending, paid or shipped`."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last
