"""Checks each message that comes in against the rules of the schema (protovalidate, 5 µs) and for U+0000 (1 µs)."""

from __future__ import annotations

from google.protobuf.message import Message
from protovalidate import Validator
from protovalidate import Violation as Broken

from servers.kit.call import Call
from servers.kit.errors import InvalidInput, Violation
from servers.kit.interceptors.base import Interceptor
from servers.kit.interceptors.nul import nul_fields

_VALIDATOR = Validator()

# Errors travel in HTTP/2 trailers, of which peers take 8 KB.
_MOST_TOLD = 20
_MOST_CHARACTERS = 120


def check(message: Message) -> None:
    """Raises InvalidInput naming the fields that break a rule, the first 20 of them, by path (`data.user_text`)."""
    found = [Violation(_path(item), item.proto.message) for item in _VALIDATOR.collect_violations(message)]
    found += [Violation(path, "must not hold the character U+0000") for path in nul_fields(message)]
    if found:
        found = [Violation(field[:_MOST_CHARACTERS], description) for field, description in found[:_MOST_TOLD]]
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
