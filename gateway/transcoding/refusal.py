"""Why a JSON value is refused, and where it stands."""

from __future__ import annotations

import json
import re
from typing import NoReturn

from servers.kit.errors import InvalidInput, Violation

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_SHOWN = 64  # characters of a key that came from outside


class Refused(Exception):
    """A JSON value that does not fit its field. The path grows on the way up, so that good input never pays for it."""

    def __init__(self, description: str, *parts: str | int) -> None:
        super().__init__(description)
        self.description = description
        self._parts: list[str | int] = list(parts)

    def under(self, part: str | int) -> Refused:
        """Puts the field, key or index that holds the value before the path."""
        self._parts.insert(0, part)
        return self

    @property
    def path(self) -> str:
        """The path as protovalidate writes it: `data.entities[2].start`, `data.filters["a b"]`; empty at the top."""
        text = ""
        for part in self._parts:
            if isinstance(part, int):
                text += f"[{part}]"
            elif _PLAIN_NAME.fullmatch(part):
                text += f".{part}" if text else part
            else:
                text += f"[{json.dumps(part[:_SHOWN])}]"
        return text

    def as_error(self) -> InvalidInput:
        """The error of the contract."""
        path = self.path
        message = f"{path} {self.description}" if path else f"the request {self.description}"
        return InvalidInput(message, violations=[Violation(path, self.description)])


_KINDS = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}


def wrong_type(expected: str, value: object) -> NoReturn:
    """Refuses a value whose JSON type is not the expected one; the value itself is never told back."""
    raise Refused(f"must be {expected}, not {_KINDS.get(type(value), 'null')}")
