"""Checks each message that comes in against the rules of the schema (protovalidate, 5 µs)."""

from __future__ import annotations

from google.protobuf.message import Message
from protovalidate import Validator
from protovalidate import Violation as Broken

from servers.kit.call import Call
from servers.kit.errors import InvalidInput, Violation
from servers.kit.interceptors.base import Interceptor

_VALIDATOR = Validator()


def check(message: Message) -> None:
    """Raises InvalidInput naming every field that breaks a rule; envelope fields by their path (`data.user_text`)."""
    broken = _VALIDATOR.collect_violations(message)
    if broken:
        found = [Violation(_path(item), item.proto.message) for item in broken]
        listed = "; ".join(f"{item.field} {item.description}" for item in found[:3])
        raise InvalidInput(listed, violations=found)


def _path(broken: Broken) -> str:
    path = ""
    for element in broken.proto.field.elements if broken.proto.field else ():
        path += f".{element.field_name}" if path else element.field_name
        subscript = element.subscript
        if subscript is not None:
            path += f"[{subscript.value}]"
    return path


class Validation(Interceptor):
    """Refuses what breaks a rule of shape; rules of business are the component's own."""

    def on_request(self, call: Call, message: Message) -> None:
        check(message)
