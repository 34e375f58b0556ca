"""A new reaction is a new file in the policies of its context, with a test of its own."""

import re
from difflib import get_close_matches

from django.conf import settings

from config.scaffold.writing import CannotStart, Edits, manage
from integration.contracts.contract import IntegrationEvent, contracts
from integration.domain.events import domain_events
from integration.domain.versions import Versioned
from integration.messaging.consumers import consumers

POLICY = '''"""{sentence} whenever {name} is {happens}."""

import logging

{imports}
from integration.policies import whenever

log = logging.getLogger(__name__)


@whenever({event}{named})
def {function}(event: {event}) -> None:
    log.info("{function}: %s", event)
'''

TEST = '''"""{sentence} whenever {name} is {happens}."""

import pytest

{imports}
from integration.contracts.examples import example_of
from integration.domain.versions import from_data
{import_registry}
from {module} import {function}

EVENT = from_data({event}, example_of({event}), {event}.schema_version)


def test_the_reaction_is_registered() -> None:
    {registered}


def test_the_event_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        {function}(EVENT)

    assert [record.message for record in caplog.records] == [f"{function}: {{EVENT}}"]
'''


def start_policy(name: str, event_name: str) -> str:
    """Write a new reaction and its test.

    Args:
        name: `context.what-it-does`.
        event_name: the wire name of a contract, or of a domain event of the same context.

    Returns:
        What was written, as a sentence.

    Raises:
        CannotStart: for a name that cannot be used, and for an event that the context cannot receive. No file is
            changed then.
    """
    context, _, what = name.partition(".")
    if context not in settings.CONTEXTS or not re.fullmatch(r"[a-z]+(-[a-z]+)+", what):
        raise CannotStart(
            f"{name!r} is no name for a reaction: write context.what-it-does, the context being one of "
            f"{', '.join(settings.CONTEXTS)}, and what it does two or more words of the letters a to z with hyphens "
            "between them"
        )
    if name in consumers:
        raise CannotStart(f"a reaction named {name!r} exists already")
    event = _event(context, event_name)
    is_contract = issubclass(event, IntegrationEvent)
    function = what.replace("-", "_")
    home = event.__module__.rpartition(".")[2]
    words = {
        "sentence": what.replace("-", " ").capitalize(),
        "name": event_name,
        "happens": "published" if is_contract else "recorded",
        "imports": "from integration import contracts\nfrom integration.messaging.consumers import locks_nothing"
        if is_contract
        else f"from {context} import events",
        "event": f"contracts.{home}.{event.__name__}" if is_contract else f"events.{event.__name__}",
        "named": f', name="{name}", prepare=locks_nothing' if is_contract else "",
        "function": function,
        "module": f"{context}.policies.{function}",
        "import_registry": "from integration.messaging.consumers import consumers"
        if is_contract
        else "from integration.domain.dispatcher import handlers_of",
    }
    words["registered"] = (
        f'assert consumers.get("{name}").listens_to is {words["event"]}'
        if is_contract
        else f"assert {function} in handlers_of({words['event']})"
    )
    policy, test = f"{context}/policies/{function}.py", f"tests/{context}/test_{function}.py"
    edits = Edits()
    edits.create(policy, POLICY.format(**words))
    edits.create(test, TEST.format(**words))
    with edits.written():
        manage("document")
    then = " Once it does more, run manage.py contracts write, and make costs." if is_contract else ""
    return f"{policy} reacts to {event_name}, and {test} tests it. So far the reaction only writes a log line.{then}"


def _event(context: str, name: str) -> type[Versioned]:
    if name in contracts:
        return contracts.get(name)
    if name not in domain_events:
        raise CannotStart(f"no event is named {name!r}{_similar(context, name)}; docs/events.md lists all of them")
    owner = name.partition(".")[0]
    if owner != context:
        raise CannotStart(
            f"{name} is a domain event of {owner}: {context} can only react to the contracts of {owner}"
            f"{_similar(context, name)}"
        )
    return domain_events.get(name)


def _similar(context: str, name: str) -> str:
    """A hint at the event whose name is most like `name`, of those that the context can receive; may be empty."""
    own = [event for event, _ in domain_events.items() if event.startswith(f"{context}.")]
    found = get_close_matches(name, [*(event for event, _ in contracts.items()), *own], n=1, cutoff=0.8)
    return f", such as {found[0]}" if found else ""
