"""The JSON codec of the REST edge: flat envelopes, lower-case enums, RFC 3339 times, and errors that name the field."""

from __future__ import annotations

import json
from typing import Any

import orjson
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from gateway.transcoding import wellknown
from gateway.transcoding.reading import Readers
from gateway.transcoding.refusal import Refused
from gateway.transcoding.writing import Writers
from servers.kit.errors import InvalidInput

DEEPEST = 30
"""Levels of objects and lists a request may nest: Protobuf allows 100, of which a free JSON object takes three each."""


class MessageCodec:
    """JSON of one message type."""

    def __init__(self, descriptor: Descriptor, readers: Readers, writers: Writers) -> None:
        self.message_class: type[Message] = GetMessageClass(descriptor)
        self._read = readers.reader(descriptor)
        self._write = writers.writer(descriptor)
        self._bottomless = _bottomless(descriptor)

    def read(self, given: object) -> Any:
        """The message that parsed JSON spells.

        Raises InvalidInput naming the field: a wrong type, an unknown key or word, two members of a oneof, a number out
        of range, text that is not Unicode or holds U+0000, an object nested too deep.
        """
        message = self.message_class()
        try:
            if self._bottomless:
                _check_depth(given, DEEPEST)
            self._read(given, message)
        except Refused as refused:
            raise refused.as_error() from None
        return message

    def decode(self, body: bytes) -> Any:
        """The message that JSON text spells; raises InvalidInput with line and column, or with the field."""
        return self.read(parse(body))

    def write(self, message: Message) -> Any:
        """The message as what `orjson.dumps` takes."""
        return self._write(message)

    def encode(self, message: Message) -> bytes:
        """The message as JSON text."""
        return orjson.dumps(self._write(message))


class Codec:
    """The codecs of all message types, compiled once each."""

    def __init__(self) -> None:
        self._readers = Readers()
        self._writers = Writers()

    def of(self, descriptor: Descriptor) -> MessageCodec:
        """The codec of a message type."""
        return MessageCodec(descriptor, self._readers, self._writers)


def parse(body: bytes) -> object:
    """JSON text as Python objects; raises InvalidInput with line and column.

    Two things that JSON's grammar allows and strict readers refuse (half a surrogate pair, a number beyond a double) are
    passed on, so that the codec can name their field. Of a key that is given twice the last one counts, as in most readers
    of JSON; the grammar leaves it open.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        problem = f"the body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        column = error.start - body.rfind(b"\n", 0, error.start)
        raise InvalidInput(
            f"the body is not UTF-8: byte 0x{body[error.start]:02x} (line {line}, column {column})"
        ) from None
    try:
        given: object = json.loads(text)
        _check_depth(given, DEEPEST)
    except Refused as refused:
        raise refused.as_error() from None
    except RecursionError:
        raise InvalidInput(f"the body is nested too deep: at most {DEEPEST} levels") from None
    except ValueError:
        raise InvalidInput(problem) from None
    return given


def _check_depth(given: object, left: int) -> None:
    if not left:
        raise Refused(f"is nested too deep: at most {DEEPEST} levels")
    if type(given) is dict:
        for key, item in given.items():
            if type(item) is dict or type(item) is list:
                try:
                    _check_depth(item, left - 1)
                except Refused as refused:
                    raise refused.under(key) from None
    elif type(given) is list:
        for index, item in enumerate(given):
            if type(item) is dict or type(item) is list:
                try:
                    _check_depth(item, left - 1)
                except Refused as refused:
                    raise refused.under(index) from None


def _bottomless(descriptor: Descriptor, above: tuple[str, ...] = ()) -> bool:
    """Whether JSON of this type may nest without end: it holds free JSON, or itself."""
    name = descriptor.full_name
    if name in wellknown.FREE or name in above:
        return True
    return any(_bottomless(field.message_type, (*above, name)) for field in descriptor.fields if field.message_type)
