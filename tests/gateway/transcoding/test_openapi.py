"""The OpenAPI document against the official schema, and its examples against the codec and their own schemas."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.transcoding.codec import Codec
from gateway.transcoding.contract import Contract
from gateway.transcoding.openapi import openapi_document


@pytest.fixture(scope="module")
def document(contract: Contract) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(openapi_document(contract))
    return parsed


def schema(document: dict[str, Any], name: str) -> dict[str, Any]:
    """One component's schema."""
    found: dict[str, Any] = document["components"]["schemas"][name]
    return found


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_every_rpc_with_a_route_is_described(document: dict[str, Any], contract: Contract) -> None:
    for rpc in contract.rpcs():
        for binding in rpc.bindings:
            operation = document["paths"][binding.template.documented][binding.verb.lower()]
            assert operation["tags"] == [rpc.descriptor.containing_service.name]
            assert operation["summary"]
            assert {"200", "400", "401", "504"} <= set(operation["responses"])
            assert ("requestBody" in operation) == binding.with_body


def test_every_example_is_what_it_documents(document: dict[str, Any], contract: Contract) -> None:
    codec = Codec()
    documented = 0
    for rpc in contract.rpcs():
        for text, descriptor in (
            (rpc.example.request, rpc.descriptor.input_type),
            (rpc.example.response, rpc.descriptor.output_type),
        ):
            if not text:
                continue
            documented += 1
            message_codec = codec.of(descriptor)
            read = message_codec.decode(text.encode())
            if descriptor is rpc.descriptor.output_type:
                assert message_codec.write(read) == json.loads(text), "an example of a reply shows all of its fields"
            root = {"$ref": f"#/components/schemas/{descriptor.full_name.removeprefix('salambot.')}", **document}
            Draft202012Validator(root).validate(json.loads(text))
    assert documented


def test_constraints_come_from_the_rules(document: dict[str, Any]) -> None:
    message = schema(document, "orchestrator.v1.MessageInput")["properties"]
    attachment = schema(document, "orchestrator.v1.Attachment")
    knowledge = schema(document, "rag.v1.Document")
    assert message["user_text"]["maxLength"] == 2000
    assert "must not be empty" in message["user_text"]["description"]
    assert message["attachments"]["maxItems"] == 10
    assert attachment["properties"]["size_bytes"] | {"description": ""} == {
        "type": "integer",
        "format": "int64",
        "minimum": 0,
        "maximum": 20971520,
        "description": "",
    }
    assert attachment["required"] == ["url"]
    assert "id" not in knowledge["required"], "the path of PutDocument gives it"
    assert knowledge["properties"]["id"]["pattern"].startswith("^[A-Za-z0-9]")
    assert "unspecified" not in knowledge["properties"]["language"]["enum"]
    assert knowledge["properties"]["attributes"]["maxProperties"] == 32
    assert knowledge["properties"]["attributes"]["propertyNames"] == {"pattern": "^[a-z][a-z0-9_]{0,62}$"}


def test_the_envelope_is_flat_and_says_what_may_be_left_out(document: dict[str, Any]) -> None:
    request = schema(document, "orchestrator.v1.SendMessageRequest")
    assert list(request["properties"])[-1] == "data"
    assert request["required"] == ["tenant", "channel", "message_id", "data"]
    assert request["properties"]["channel"]["enum"][:2] == ["facebook", "whatsapp"]
    assert request["additionalProperties"] is False


def test_descriptions_are_the_comments_of_the_contract(document: dict[str, Any]) -> None:
    operation = document["paths"]["/v1/messages"]["post"]
    assert operation["summary"].startswith("SendMessage reads the message")
    assert "Errors: invalid_input" in operation["description"]
    assert schema(document, "nlu.v1.Analysis")["properties"]["masked_text"]["description"].startswith(
        "The message with"
    )
    (tag,) = (tag for tag in document["tags"] if tag["name"] == "NLUService")
    assert tag["description"].startswith("NLUService reads")


def test_parameters_of_the_url(document: dict[str, Any]) -> None:
    turns = document["paths"]["/v1/conversations/{data.conversation_id}/turns"]["get"]
    places = {item["name"]: item for item in turns["parameters"]}
    assert (places["data.conversation_id"]["in"], places["data.conversation_id"]["required"]) == ("path", True)
    assert (places["page_size"]["in"], places["page_size"]["schema"]["maximum"]) == ("query", 200)
    assert "required" not in places["page_size"]


def test_streams_are_events(document: dict[str, Any]) -> None:
    success = document["paths"]["/v1/messages:stream"]["post"]["responses"]["200"]
    assert list(success["content"]) == ["text/event-stream"]


def test_errors_are_described(document: dict[str, Any]) -> None:
    assert set(document["components"]["responses"]) >= {
        "400",
        "401",
        "403",
        "404",
        "409",
        "413",
        "415",
        "429",
        "500",
        "502",
    }
    assert "Retry-After" in document["components"]["responses"]["429"]["headers"]
    assert schema(document, "Error")["required"][-1] == "error"
