"""The AsyncAPI document is valid for an independent parser, and its schemas match the messages that are sent."""

import json
import warnings
from typing import Any

import jsonschema
import pytest
from django.conf import settings
from django.core.management import call_command

from integration.contracts.contract import contracts
from integration.contracts.examples import example_of
from integration.documents.asyncapi import asyncapi
from integration.domain import clock
from integration.domain.identifiers import new_event_id
from integration.messaging.cloudevents import cloud_event
from integration.messaging.consumers import consumers
from integration.messaging.models import Message

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # The library's models shadow attributes of their base class.
    from asyncapi3 import AsyncAPI3


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads(json.dumps(asyncapi()))


def test_an_asyncapi_parser_accepts_the_document(document: dict[str, Any]) -> None:
    parsed = AsyncAPI3.model_validate(document)

    assert parsed.asyncapi == "3.0.0"
    assert {channel.address for channel in parsed.channels.root.values()} == {name for name, _ in contracts.items()}


@pytest.mark.parametrize("broken", ["version", "action", "channel", "title"])
def test_the_parser_refuses_an_invalid_document(document: dict[str, Any], broken: str) -> None:
    wrong = json.loads(json.dumps(document))
    operation = wrong["operations"]["ordering-publish-order-placed"]
    match broken:
        case "version":
            wrong["asyncapi"] = "2.6.0"
        case "action":
            operation["action"] = "shout"
        case "channel":
            del operation["channel"]
        case "title":
            del wrong["info"]["title"]

    with pytest.raises(ValueError, match="validation error"):
        AsyncAPI3.model_validate(wrong)


def test_every_contract_has_a_send_operation_and_every_consumer_a_receive_operation(document: dict[str, Any]) -> None:
    by_action: dict[str, set[str]] = {"send": set(), "receive": set()}
    for name, operation in document["operations"].items():
        by_action[operation["action"]].add(name)
        assert operation["tags"] == [{"name": name.partition("-")[0]}]

    assert by_action["receive"] == {name.replace(".", "-") for name, _ in consumers.items()}
    assert by_action["send"] == {name.replace(".", "-publish-") for name, _ in contracts.items()}
    tags = {tag["name"] for operation in document["operations"].values() for tag in operation["tags"]}
    assert {"ordering", "inventory", "billing", "fulfillment"} <= tags <= set(settings.CONTEXTS)


def test_every_reference_has_a_target(document: dict[str, Any]) -> None:
    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            return [part["$ref"]] if "$ref" in part else [each for value in part.values() for each in references(value)]
        return [each for value in part for each in references(value)] if isinstance(part, list) else []

    found = references(document)
    assert len(found) > 100
    for reference in found:
        target = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


@pytest.mark.parametrize("name", [name for name, _ in contracts.items()])
def test_a_sent_message_matches_its_own_schema_only(document: dict[str, Any], name: str) -> None:
    event = contracts.get(name)
    ids = {"id": new_event_id(), "correlation_id": new_event_id(), "causation_id": new_event_id()}
    message = Message(name=name, version=event.schema_version, data=example_of(event), occurred_at=clock.now(), **ids)
    sent = json.loads(json.dumps(cloud_event(message)))

    def fits(payload: dict[str, Any]) -> bool:
        whole = {**payload, "components": document["components"]}
        jsonschema.Draft202012Validator.check_schema(payload)
        return jsonschema.Draft202012Validator(whole).is_valid(sent)

    messages = document["components"]["messages"]
    assert [other for other in messages if fits(messages[other]["payload"])] == [name.replace(".", "-")]


def test_the_command_prints_the_document(document: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    call_command("contracts", "asyncapi")

    assert json.loads(capsys.readouterr().out) == document
