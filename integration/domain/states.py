"""An aggregate's life as a table: for every (state, message) a transition, an explicit ignore, or a refusal.

The table is the rule; methods ask it before they record anything, tests walk the whole of it, and the pictures in the
docs are drawn from it.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import Enum

from integration.domain.errors import NotYet, Refused


class Answer(Enum):
    """What a state says to a message that does not move it."""

    IGNORE = "ignore"
    """Already so, or no longer of interest: nothing happens."""
    REFUSE = "refuse"
    """Against the rules: the caller is told."""
    NOT_YET = "not yet"
    """The message this one builds upon is still to come: it is tried again soon."""


IGNORE, REFUSE, NOT_YET = Answer.IGNORE, Answer.REFUSE, Answer.NOT_YET


def by_state(states: type[Enum]) -> Callable[..., dict[str, str | Answer]]:
    """A function that makes a row of a table: the answers in the order of the states, as they stand above it."""

    def row(*answers: str | Answer) -> dict[str, str | Answer]:
        return dict(zip((str(state.value) for state in states), answers, strict=True))

    return row


class NotAllowed(Refused):
    """The state of the thing does not allow this."""


class StateTable:
    """Which messages an aggregate takes in which state.

    Args:
        states: all states, the first one reached at birth.
        messages: per message, per state, the state it leads to or an `Answer`.

    Raises:
        ValueError: when a pair is missing or a target is no state.
    """

    def __init__(self, states: type[Enum], messages: Mapping[str, Mapping[str, str | Answer]]) -> None:
        self.states = [str(state.value) for state in states]
        self.messages = messages
        for message, answers in messages.items():
            if set(answers) != set(self.states):
                raise ValueError(f"{message}: wants an answer for exactly {self.states}")
            for answer in answers.values():
                if not isinstance(answer, Answer) and answer not in self.states:
                    raise ValueError(f"{message}: {answer} is no state")

    def accepts(self, message: str, state: str, what: str) -> bool:
        """Whether `message` is to be acted upon in `state`; False when it is to be ignored.

        Args:
            what: the thing, as error messages name it.

        Raises:
            NotAllowed: the table refuses the message.
            NotYet: the message came too early.
        """
        answer = self.messages[message][state]
        if answer is REFUSE:
            raise NotAllowed(f"{what} is {state.replace('_', ' ')}: it can't {message.replace('_', ' ')}")
        if answer is NOT_YET:
            raise NotYet(f"{what} is still {state.replace('_', ' ')}: too early to {message.replace('_', ' ')}")
        return answer is not IGNORE

    def transitions(self) -> Iterator[tuple[str, str, str]]:
        """All (state, message, next state) that move the aggregate."""
        for message, answers in self.messages.items():
            for state, answer in answers.items():
                if not isinstance(answer, Answer):
                    yield state, message, answer

    def leads(self, state: str | None, target: str) -> bool:
        """Whether an aggregate may come from one state to another with one event, or stay where it is."""
        return state == target or any((state, target) == (start, end) for start, _, end in self.transitions())

    def final_states(self) -> set[str]:
        """The states nothing leads out of."""
        return set(self.states) - {state for state, _, target in self.transitions() if target != state}
